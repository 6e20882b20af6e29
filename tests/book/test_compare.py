"""nbval judges what was executed, by its own rules; what it finds is told in a reader's words."""

import json
from pathlib import Path

import compare_outputs
import jupytext
import nbformat
import pytest
from compare_outputs import differences
from outcomes import in_words
from records import Records
from sync_chapters import synchronise

CHECKED = "> # NBVAL_CHECK_OUTPUT\nprint('the sum is', 1 + 1)\nprint('always')"
RESULT = "> # NBVAL_CHECK_OUTPUT\n{'a': 1}"
UNCHECKED = "> import os\nos.getpid()"


@pytest.fixture(scope="module")
def once(begin_book, tmp_path_factory):
    """A small book of one chapter, its outputs stored in its notebook, and its execution."""
    book = begin_book(tmp_path_factory.mktemp("book"))
    book.add_page("chapters/01-one", "# One", UNCHECKED, "## Sum", CHECKED, RESULT)
    assert synchronise(book.root, []) == 0
    return book, book.execute(), stored(book).read_bytes()


@pytest.fixture
def paired(once):
    """That book, for a test to spoil its notebook."""
    book, _, notebook = once
    yield book
    stored(book).write_bytes(notebook)


@pytest.fixture
def outcomes(once):
    """What its execution gave: the kept results of that by which its notebook was stored."""
    return once[1]


def stored(book) -> Path:
    return book.root / "chapters" / "01-one.ipynb"


def change_outputs(path: Path, old: str, new: str) -> None:
    """Change what a notebook stores of its outputs, and nothing else of it."""
    notebook = nbformat.read(path, as_version=4)
    text = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert old in text
    for cell, outputs in zip(notebook.cells, json.loads(text.replace(old, new)), strict=True):
        if outputs:
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
    nbformat.write(notebook, path)


def test_what_was_stored_agrees_also_with_another_execution(paired, outcomes, tmp_path):
    assert not outcomes[0].ran
    assert differences(outcomes) == []
    again = paired.execute(records=Records(tmp_path, paired.root))
    assert again[0].ran
    assert differences(again) == []


@pytest.mark.parametrize(
    ("old", "new", "cell"),
    [("the sum is 2", "the sum is 3", 2), ("{'a': 1}", "{'a': 2}", 3)],
)
def test_another_stored_output_is_found_and_told(paired, outcomes, old: str, new: str, cell: int):
    change_outputs(stored(paired), old, new)
    ((page, failure),) = differences(outcomes)
    assert failure.cell == cell
    words = in_words(page, failure)
    assert words.startswith(f"Chapter “One”, section “Sum”, cell {cell} (chapters/01-one.md, line ")
    assert f"stored: {new}" in words
    assert f"now:    {old}" in words


def test_a_lacking_stored_output_is_found(paired, outcomes):
    notebook = nbformat.read(stored(paired), as_version=4)
    notebook.cells[3].outputs = []
    nbformat.write(notebook, stored(paired))
    ((_, failure),) = differences(outcomes)
    assert "now:    the sum is 2" in failure.message


def test_an_output_that_is_not_marked_may_change(paired, outcomes):
    notebook = nbformat.read(stored(paired), as_version=4)
    assert notebook.cells[1].outputs == []
    assert outcomes[0].notebook.cells[1].outputs != []
    assert differences(outcomes) == []


def test_other_cells_than_those_executed_are_not_compared(paired, outcomes):
    text = stored(paired).read_text()
    stored(paired).write_text(text.replace("getpid()", "getppid()"))
    ((_, failure),) = differences(outcomes)
    assert failure.name == "not compared"
    assert "make sync" in failure.message


@pytest.mark.parametrize("extra", [[], [{"cell_type": "code", "source": "1"}]])
def test_a_cell_too_many_or_too_few_is_not_compared(paired, outcomes, extra: list):
    notebook = nbformat.read(stored(paired), as_version=4)
    more = [nbformat.v4.new_code_cell(cell["source"]) for cell in extra]
    notebook.cells = [*notebook.cells, *more] if more else notebook.cells[:-1]
    nbformat.write(notebook, stored(paired))
    ((_, failure),) = differences(outcomes)
    assert failure.name == "not compared"


def test_a_missing_notebook_is_no_agreement(paired, outcomes):
    stored(paired).unlink()
    with pytest.raises(RuntimeError, match="USAGE_ERROR"):
        differences(outcomes)


def test_an_error_in_any_cell_is_found(small_book):
    path = small_book.add_page(
        "chapters/01-one", "# One", "> x = 1", "> assert x == 2, 'no'", "> 1"
    )
    jupytext.write(jupytext.read(path), stored(small_book))
    ((_, failure),) = differences(small_book.execute())
    assert failure.cell == 2
    assert "AssertionError: no" in failure.message


def test_one_notebook_that_cannot_be_compared_does_not_hide_another(small_book):
    small_book.add_page("chapters/01-one", "# One", CHECKED)
    path = small_book.add_page("chapters/02-two", "# Two", CHECKED)
    assert synchronise(small_book.root, []) == 0
    stored(small_book).write_text(stored(small_book).read_text().replace("1 + 1", "2"))
    change_outputs(path.with_suffix(".ipynb"), "always", "never")
    found = differences(small_book.execute())
    assert [page.name for page, _ in found] == ["chapters/01-one", "chapters/02-two"]


def test_the_command_executes_what_is_missing_and_fails_on_a_difference(paired, monkeypatch, capfd):
    monkeypatch.setattr(compare_outputs, "ROOT", paired.root)
    paired.write("specmup/value.py", "second")
    assert compare_outputs.main([]) == 0
    assert "chapters/01-one: passed" in capfd.readouterr().out
    change_outputs(stored(paired), "sum is 2", "sum is 3")
    assert compare_outputs.main(["01"]) == 1
    out = capfd.readouterr().out
    assert "chapters/01-one: passed" not in out
    assert "stored: the sum is 3" in out
    with pytest.raises(SystemExit, match="begins with 02"):
        compare_outputs.main(["02"])


def test_the_command_fails_where_any_page_fails_and_tells_it_once(small_book, monkeypatch, capfd):
    small_book.add_page("book/status", "# Status", "> 1 / 0")
    path = small_book.add_page("chapters/01-one", "# One", "> x = 1", "> x = 2\nassert x < 2")
    jupytext.write(jupytext.read(path), stored(small_book))
    monkeypatch.setattr(compare_outputs, "ROOT", small_book.root)
    assert compare_outputs.main([]) == 1
    out = capfd.readouterr().out
    assert out.count("Page “Status”, cell 1") == 1
    assert out.count("Chapter “One”, cell 2") == 1
    assert "    assert x < 2\n" in out


def test_nothing_to_compare_runs_no_tests():
    assert differences([]) == []
