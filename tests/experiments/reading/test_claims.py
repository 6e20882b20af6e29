"""A claim holds, falls or cannot be told, and says so the same way to cell, prose and page."""

import pytest

from experiments.reading import claims as claims_module
from experiments.reading.claims import JUDGE, KEY, ClaimFell, Claims
from experiments.reading.criteria import below, compared, says
from specmup.analysis.interval import Interval

WIDE = Interval(0.0, -1.0, 1.0)
DEPTH = compared("lower", "higher", "cannot tell")


@pytest.fixture
def glued(monkeypatch):
    """What chapters would keep for their prose."""
    kept = {}
    monkeypatch.setattr(
        claims_module, "glue", lambda key, text, display: kept.__setitem__(key, text)
    )
    return kept


@pytest.fixture
def shown(monkeypatch):
    """What cells would show."""
    outputs = []
    monkeypatch.setattr(
        claims_module, "publish_display_data", lambda *said, **more: outputs.append((*said, more))
    )
    return outputs


@pytest.fixture
def claim(glued, shown, monkeypatch):
    monkeypatch.delenv(JUDGE, raising=False)
    return Claims("ch06")


def test_a_claim_that_holds_is_shown_glued_and_listed(claim, glued, shown):
    made = claim("slow", "It is <slow>.", -0.5, says("lower", DEPTH), source="stored")
    assert glued == {"ch06-slow": "−0.50", "ch06-slow-word": "lower"}
    assert made.word == "lower"
    ((output, more),) = shown
    assert output["text/plain"] == (
        "held: It is <slow>. [−0.50; below 0, said as “lower”; a stored result]"
    )
    assert "&lt;slow&gt;" in output["text/html"]
    assert more["metadata"][KEY] == {
        "name": "ch06-slow",
        "sentence": "It is <slow>.",
        "value": "−0.50",
        "criterion": "below 0, said as “lower”",
        "source": "stored",
        "verdict": "held",
    }


@pytest.mark.parametrize("value", [0.5, WIDE])
def test_one_that_does_not_hold_fails_its_cell_and_names_all(claim, glued, value):
    with pytest.raises(ClaimFell, match=r"It is slow\..*below 0; an exact computation"):
        claim("slow", "It is slow.", value, below(0), source="exact")
    assert not glued


def test_where_claims_are_judged_it_is_noted_and_the_chapter_goes_on(
    claim, glued, shown, monkeypatch
):
    monkeypatch.setenv(JUDGE, "1")
    made = claim("slow", "It is slow.", 0.5, says("lower", DEPTH), source="stored")
    assert made.verdict == shown[0][1]["metadata"][KEY]["verdict"] == "fell"
    assert glued["ch06-slow-word"] == "higher"


def test_names_and_sources_are_checked(claim):
    claim("slow", "It is slow.", -1, below(0), source="live")
    claim("slow", "It is slow.", -2, below(0), source="live")  # the cell was run again
    with pytest.raises(ValueError, match="two claims are named ch06-slow"):
        claim("slow", "It is fast.", -1, below(0), source="live")
    with pytest.raises(ValueError, match="source 'paper' of ch06-other: it may be theory"):
        claim("other", "It is.", -1, below(0), source="paper")
    with pytest.raises(ValueError, match="source 'paper' of claims of ch06: it may be theory"):
        claim.of("paper")


def test_claims_of_one_source_are_claims_like_others(claim, glued):
    stored = claim.of("stored", spec=".3f", about="kimi")
    made = stored("slow", "It is slow.", -1.0, below(0))
    assert (made.name, made.source, made.verdict) == ("ch06-kimi-slow", "stored", "held")
    stored("fast", "It is fast.", -2.0, below(0), ".1f")
    assert glued == {"ch06-kimi-slow": "−1.000", "ch06-kimi-fast": "−2.0"}
    with pytest.raises(ClaimFell, match="It is late"):
        stored("late", "It is late.", 1.0, below(0))
    with pytest.raises(ValueError, match="two claims are named ch06-kimi-slow"):
        claim("kimi-slow", "It is not.", -1.0, below(0), source="live")
