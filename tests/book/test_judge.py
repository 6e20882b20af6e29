"""Noted claims are judged to the end of every page, whatever falls on the way."""

import json

import pytest
from judge_claims import JUDGED, NOTED, main


def page(book, *values, broken=False):
    parts = [book.claim(f"ch01-{n}", v) for n, v in zip("abc", values, strict=True)]
    if broken:
        parts.insert(1, "> assert False, 'broken'")
        parts[-1] = "> " + "assert False\n" + parts[-1][2:]
    book.add_page("chapters/01-one", "# One", *parts)


@pytest.fixture
def book(small_book):
    (small_book.root / NOTED).parent.mkdir(parents=True)
    page(small_book, 0.1, 0.2, 0.3)
    assert main(["--register"], small_book.root) == 0
    return small_book


def test_claims_are_noted_with_their_page_and_value(book):
    noted = json.loads((book.root / NOTED).read_text())
    assert {one["page"] for one in noted} == {"chapters/01-one"}
    assert {one["name"]: one["value"] for one in noted} == {
        "ch01-a": "0.1",
        "ch01-b": "0.2",
        "ch01-c": "0.3",
    }


def test_each_is_judged_though_one_falls_and_cells_fail(book, capfd):
    page(book, 0.4, 1.5, 0.5, broken=True)
    assert main([], book.root) == 0
    judged = json.loads((book.root / JUDGED).read_text())
    assert [(one["old value"], one["value"], one["verdict"]) for one in judged] == [
        ("0.1", "0.4", "held"),
        ("0.2", "1.5", "fell"),
        ("0.3", "", "not reached"),
    ]
    said = capfd.readouterr().out
    assert "fell: ch01-b: It is. [0.2 then, 1.5 now; below 1]" in said
    assert "AssertionError: broken" in said
    assert "stored  held         1" in said


def test_nothing_is_noted_where_a_page_fails(book):
    before = (book.root / NOTED).read_text()
    page(book, 0.4, 1.5, 0.5)
    assert main(["--register"], book.root) == 1
    assert (book.root / NOTED).read_text() == before


def test_pages_that_are_not_named_keep_their_verdicts(book):
    book.add_page("chapters/02-two", "# Two", book.claim("ch02-a", 0.5))
    assert main(["--register"], book.root) == 0
    assert main([], book.root) == 0
    page(book, 0.1, 1.2, 0.3)
    book.add_page("chapters/02-two", "# Two", book.claim("ch02-a", 3))
    assert main(["01"], book.root) == 0
    judged = json.loads((book.root / JUDGED).read_text())
    assert [(one["name"], one["verdict"]) for one in judged] == [
        ("ch01-a", "held"),
        ("ch01-b", "fell"),
        ("ch01-c", "held"),
        ("ch02-a", "held"),
    ]


def test_pages_that_are_not_named_stay_registered(book):
    book.add_page("chapters/02-two", "# Two", book.claim("ch02-a", 0.5))
    assert main(["--register", "02"], book.root) == 0
    page(book, 0.4, 0.2, 0.3)
    assert main(["--register", "01"], book.root) == 0
    noted = json.loads((book.root / NOTED).read_text())
    assert [(one["name"], one["value"]) for one in noted] == [
        ("ch01-a", "0.4"),
        ("ch01-b", "0.2"),
        ("ch01-c", "0.3"),
        ("ch02-a", "0.5"),
    ]


def test_claims_of_a_page_that_was_renamed_are_not_passed_by(book, capsys):
    (book.root / "chapters" / "01-one.md").rename(book.root / "chapters" / "02-one.md")
    book.names.remove("chapters/01-one")
    book.add_page("chapters/03-three", "# Three", book.claim("ch03-a", 0.5))
    assert main(["--register", "03"], book.root) == 0
    assert main([], book.root) == 1
    said = capsys.readouterr().out
    assert "of pages that are not there: chapters/01-one; judge them at the commit" in said
    assert not (book.root / JUDGED).exists()
    assert main(["02"], book.root) == 1
    assert "no claim of chapters/02-one is noted" in capsys.readouterr().out
    assert main(["03"], book.root) == 0


def test_pages_beside_the_chapters_are_judged_too(book):
    book.add_page("book/counts", "# Counts", book.claim("counts-a", 0.5))
    assert main(["--register"], book.root) == 0
    noted = json.loads((book.root / NOTED).read_text())
    assert [one["page"] for one in noted][-1] == "book/counts"
    assert main(["counts"], book.root) == 0
    (judged,) = json.loads((book.root / JUDGED).read_text())
    assert (judged["name"], judged["verdict"]) == ("counts-a", "held")
