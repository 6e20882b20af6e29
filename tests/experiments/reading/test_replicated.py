"""Of claims and tables made again it is said what became of each, and what waits."""

import json

import pytest

from experiments.reading import replicated
from experiments.reading.replicated import (
    count_table,
    listed,
    made_again,
    registered,
    with_verdict,
)
from specmup.runs.results import book_folder, load


def claim(name, source="stored", **more):
    page = "chapters/16-gpt2-under-a-plan" if name > "ch16" else "chapters/05-one-map-a-branch"
    said = {"sentence": f"It is {name}.", "value": "1", "criterion": "below 2"}
    return {"page": page, "name": name, "source": source, **said, **more}


@pytest.fixture
def claims(tmp_path, monkeypatch):
    monkeypatch.setattr(replicated, "folder", lambda: tmp_path)
    noted = [claim("ch05-a"), claim("ch05-b"), claim("ch05-c", "live"), claim("ch16-a")]
    new = {"old value": "1", "verdict": "fell", "value": "3"}
    judged = [claim("ch05-a", **new), claim("ch05-b", verdict="not reached")]
    judged.append(claim("ch05-c", "live", verdict="fell"))
    (tmp_path / "claims.json").write_text(json.dumps(noted))
    (tmp_path / "verdicts.json").write_text(json.dumps(judged))
    return registered()


def test_what_is_not_judged_waits_and_live_claims_do_not_count(claims):
    assert list(count_table(claims))[2:] == [
        "| One map a branch | 2 | 0 | 1 | 0 | 0 | 1 | 0 |",
        "| GPT-2 under a plan | 1 | 0 | 0 | 0 | 0 | 0 | 1 |",
        "| all | 3 | 0 | 1 | 0 | 0 | 1 | 1 |",
    ]


@pytest.mark.parametrize(
    ("page", "value", "waiting", "verdict"),
    [
        ("18-the-published-record", "1", set(), "not ours"),
        ("18-the-published-record", "1.1", set(), "held"),
        ("06-two-maps-and-more", "1", set(), "held"),
        ("18-the-published-record", "", {"gpt-small"}, "waits"),
        ("18-the-published-record", "", {"width-parts"}, "not reached"),
        ("06-two-maps-and-more", "", {"gpt-small"}, "not reached"),
    ],
)
def test_what_is_not_drawn_anew_is_no_replication(page, value, waiting, verdict):
    noted = claim("a") | {"page": f"chapters/{page}"}
    became = {"old value": "1", "value": value, "verdict": "held" if value else "not reached"}
    assert with_verdict(noted, noted | became, waiting)["verdict"] == verdict


def test_what_fell_is_listed_with_both_values(claims):
    said = "- *One map a branch.* It is ch05-a. 1 → 3; must be below 2."
    assert list(listed(claims, "fell")) == [said]
    assert not list(listed(claims, "held"))


def test_of_the_books_results_each_is_made_again_or_waits():
    again, waiting = made_again()
    names = {one.manifest["name"] for one in (*again, *waiting)}
    results = book_folder() / "book" / "results"
    assert names == {path.stem for path in results.glob("*.csv")}
    assert {one.streams for one in again} <= {"separate"}
    assert "separate" not in {one.streams for one in waiting}
    assert load("adding-up", results).manifest["name"] in {one.manifest["name"] for one in again}


def test_every_judged_claim_was_registered():
    noted = {one["name"]: one["value"] for one in replicated.read("claims.json")}
    for one in replicated.read("verdicts.json"):
        assert one["old value"] == noted[one["name"]]
