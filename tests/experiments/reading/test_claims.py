"""A claim holds, falls or cannot be told, and says so the same way to cell, prose and page."""

from fractions import Fraction
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
import sympy

from experiments.reading import claims as claims_module
from experiments.reading.claims import (
    JUDGE,
    KEY,
    ClaimFell,
    Claims,
    above,
    at_least,
    at_most,
    below,
    between,
    compared,
    equal_to,
    judge,
    near,
    open_at,
    says,
    text_of,
)
from specmup.analysis.interval import Interval
from specmup.theory.order import ONE, Order

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


@pytest.mark.parametrize(
    ("value", "criterion", "verdict"),
    [
        (0.4, below(0.5), "held"),
        (0.5, below(0.5), "fell"),
        (WIDE, below(0.5), "cannot tell"),
        (WIDE, below(2), "held"),
        (WIDE, below(-1), "fell"),
        (0.5, above(0.5), "fell"),
        (0.6, above(0.5), "held"),
        (inf, above(0.5), "held"),
        (nan, above(0.5), "cannot tell"),
        (Interval(1.0, -inf, inf), above(0), "cannot tell"),
        (0.5, at_most(0.5), "held"),
        (0.5, at_least(0.5), "held"),
        (WIDE, at_most(0), "cannot tell"),
        (0.5, between(0.5, 1), "held"),
        (1.01, between(0.5, 1), "fell"),
        (Interval(0.1, 0.05, 0.15), near(0, 0.15), "held"),
        (Interval(0.1, 0.0, 0.2), near(0, 0.15), "cannot tell"),
        (WIDE, open_at(0.5), "held"),
        (WIDE, open_at(2), "fell"),
        (Order(depth=-1), equal_to(Order(depth=-1)), "held"),
        (ONE, equal_to(Order(depth=-1)), "fell"),
        (np.int64(3), equal_to(3), "held"),
        ([0.1, 0.2], below(0.3), "held"),
        ([0.1, 0.4], below(0.3), "fell"),
        ([WIDE, Interval(3.0, 3.0, 3.0)], below(0.5), "fell"),
        ([WIDE, 0.1], below(0.5), "cannot tell"),
        (pd.Series([1, 1]), equal_to(1), "held"),
        ({"a": 1, "b": 2}, equal_to(1), "fell"),
        ([], below(1), "cannot tell"),
        (-1.0, says("lower", DEPTH), "held"),
        (1.0, says("lower", DEPTH), "fell"),
        (WIDE, says("lower", DEPTH), "fell"),
        (WIDE, says("cannot tell", DEPTH), "held"),
        (nan, says("lower", DEPTH), "cannot tell"),
    ],
)
def test_a_value_is_judged(value, criterion, verdict):
    assert judge(value, criterion) == verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.125, "−0.12"),
        (Interval(-0.5, -0.6, -0.4), "−0.50 ± 0.10"),
        (1234, "1,234"),
        (sympy.Integer(-3), "−3"),
        (Fraction(-1, 2), "−1/2"),
        (True, "True"),
        (Order(depth=-1), "L^−1"),
        ("lower-case", "lower-case"),
        ([-0.1, 0.25], "−0.10 to 0.25 (2 values)"),
        ([WIDE, Interval(2.0, 1.0, 3.0)], "−1.00 to 3.00 (2 intervals)"),
        (["a", "b"], "a, b"),
        ([0.5], "0.50"),
    ],
)
def test_a_value_as_text(value, text):
    assert text_of(value) == text


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
    with pytest.raises(ValueError, match="'faster' is none of the words lower, higher"):
        says("faster", DEPTH)
