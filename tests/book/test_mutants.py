"""Declared faults fit the code that they break, and what they do to claims is counted rightly."""

import ast
import json
import shutil
from pathlib import Path

import mutate_claims
import pytest
from felled import Found, Report
from mutants import ColumnMutant, TextMutant, declared
from mutate_claims import KEPT, depends_on, main
from pages import Settings, chapters, chosen, read_pages

from specmup.runs.results import load

ROOT = Path(__file__).resolve().parents[2]
TEXT = TextMutant("halved", "rule", "specmup/value.py", "first", "second")


@pytest.fixture
def copy(tmp_path):
    """A copy of the files that mutants change, one at a time."""

    def of(mutant) -> Path:
        for path in (ROOT / mutant.file).parent.glob(f"{Path(mutant.file).stem}.*"):
            target = tmp_path / mutant.file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target.with_suffix(path.suffix))
        return tmp_path

    return of


@pytest.mark.parametrize("mutant", declared(), ids=lambda mutant: mutant.name)
def test_every_mutant_changes_something_that_can_still_be_read(mutant, copy):
    root = copy(mutant)
    mutant.apply(root)
    changed, original = root / mutant.file, ROOT / mutant.file
    assert changed.read_bytes() != original.read_bytes()
    if changed.suffix == ".py":
        assert ast.dump(ast.parse(changed.read_text())) != ast.dump(ast.parse(original.read_text()))
    else:
        now = load(mutant.table, changed.parent).frame[mutant.column]
        assert not now.equals(load(mutant.table, original.parent).frame[mutant.column])


@pytest.mark.parametrize(("text", "count"), [("none", 0), ("first first", 2)])
def test_a_text_must_be_there_once(tmp_path, text, count):
    (tmp_path / "specmup").mkdir()
    (tmp_path / TEXT.file).write_text(text)
    with pytest.raises(ValueError, match=f"holds the text 'first' {count} times"):
        TEXT.apply(tmp_path)


def test_a_column_that_stays_as_it_is_counts_as_no_mutant(copy):
    mutant = ColumnMutant("same", "table", "ridge", "rule", "exchanged", labels=("a", "b"))
    with pytest.raises(ValueError, match="leaves ridge as it is"):
        mutant.apply(copy(mutant))


def test_a_page_depends_on_the_code_behind_its_imports_and_on_the_tables_it_names():
    (page,) = read_pages(chosen(chapters(ROOT), ["05"]), ROOT, Settings.of(ROOT))
    needed = depends_on(page)
    assert {
        "book/results/one-map-depth.csv",
        "book/experiments/one_map_depth.py",  # its slice is made again
        "specmup/theory/order.py",  # by way of others
        "chapters/05-one-map-a-branch.md",
    } <= needed
    assert "book/results/ridge.csv" not in needed


def claims(**criteria):
    return {
        name: {"page": "chapters/01", "sentence": name, "criterion": text}
        for name, text in criteria.items()
    }


def test_kills_and_claims_that_survive_everything_are_counted():
    noticed = TextMutant("noticed", "rule", "a", "b", "c", fells="said as")
    turned = TextMutant("turned", "word", "a", "b", "c")
    crashed = TextMutant("crashed", "law", "a", "b", "c")
    missed = TextMutant("missed", "law", "a", "b", "c")
    held = claims(one="below 1", two="said as “low”", three="said as “high”")
    report = Report(
        held,
        {
            noticed: {"chapters/01": Found(dict(one="held", two="fell", three="held"), "")},
            crashed: {"chapters/01": Found(dict(one="cannot tell"), "a cell failed")},
            missed: {"chapters/01": Found(dict(one="held", two="held", three="held"), "")},
            turned: {"chapters/01": Found(dict(one="held", two="held", three="fell"), "")},
        },
    )
    assert [report.killed(m) for m in (noticed, crashed, missed)] == [True, True, False]
    assert report.never() == ["three"]  # its criterion alone was turned round
    assert report.unmoved(noticed) == ["three"]
    lines = list(report.lines())
    assert lines[1].split() == ["rule", "1", "1", "1"]
    assert lines[2].split() == ["law", "2", "1", "1"]
    assert "kill rate: 75 %" in lines
    assert "1 of 3 claims were felled by none of these faults" in lines


@pytest.fixture
def broken_book(small_book, monkeypatch):
    """A small book of one claim on the package and one on nothing, and one mutant of it."""
    small_book.write("specmup/__init__.py", "VALUE = 0.5\n")
    small_book.write("book/experiments/__init__.py", "")
    small_book.add_page(
        "chapters/01-one",
        "# One",
        "> import specmup",
        small_book.claim("ch01-a", "specmup.VALUE"),
        small_book.claim("ch01-b", 0.5),
    )
    monkeypatch.setattr(mutate_claims, "ROOT", small_book.root)
    monkeypatch.setattr(mutate_claims, "depends_on", lambda page: {"specmup/__init__.py"})
    monkeypatch.setenv("PYTHONPATH", f"{small_book.root}:{small_book.root}/book")

    def breaks(new: str) -> None:
        mutant = TextMutant("changed", "rule", "specmup/__init__.py", "VALUE = 0.5", new)
        monkeypatch.setattr(mutate_claims, "declared", lambda: [mutant])

    return small_book, breaks


def test_claims_are_judged_in_a_copy_and_the_book_stays_as_it_is(broken_book, capfd):
    book, breaks = broken_book
    breaks("VALUE = 2.0")
    assert main(["changed"]) == 0
    said = capfd.readouterr().out
    assert "killed: rule changed: 1 claims fell in 1 pages, cells failed in 0 (ch01-a)" in said
    assert "1 of 2 claims were felled by none of these faults\n  ch01-b: It is." in said
    assert (book.root / "specmup" / "__init__.py").read_text() == "VALUE = 0.5\n"
    (kept,) = (book.root / KEPT).glob("*.json")
    assert json.loads(kept.read_text())["verdicts"] == {"ch01-a": "fell", "ch01-b": "held"}
    assert main([]) == 1  # of all mutants, as of a part: but now a claim must not survive either
    assert "chapters/01-one: " not in capfd.readouterr().out  # nothing was executed again
    breaks("VALUE = 0.25")
    assert main([]) == 1
    assert "SURVIVED: rule changed" in capfd.readouterr().out


def test_a_page_that_was_cut_off_is_neither_a_kill_nor_kept(broken_book, capfd):
    book, breaks = broken_book
    breaks("VALUE = type('Deadly', (), {'__lt__': lambda *_: __import__('os')._exit(3)})()")
    assert main([]) == 1
    said = capfd.readouterr().out
    assert "chapters/01-one is not counted: the kernel died" in said
    assert "SURVIVED: rule changed: 0 claims fell in 0 pages" in said
    assert not list((book.root / KEPT).glob("*.json"))
