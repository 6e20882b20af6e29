"""nbval judges what was executed, by its own rules; what it finds is told in a reader's words."""

import json
from pathlib import Path

import compare_outputs
import jupytext
import nbformat
import pytest
from compare_outputs import differences
from outcomes import in_words
from sync_chapters import synchronise

CHECKED = "> # NBVAL_CHECK_OUTPUT\nprint('the sum is', 1 + 1)\nprint('always')"
RESULT = "> # NBVAL_CHECK_OUTPUT\n{'a': 1}"
UNCHECKED = "> import os\nos.getpid()"


@pytest.fixture
def paired(small_book):
    """A small book of one chapter, with its notebook and the outputs stored in it."""
    small_book.add_page("chapters/01-one", "# One", UNCHECKED, "## Sum", CHECKED, RESULT)
    assert synchronise(small_book.root, []) == 0
    return small_book


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


def test_what_agrees_passes_also_from_kept_results(paired):
    assert differences(paired.execute()) == []
    again = paired.execute()
    assert not again[0].ran
    assert differences(again) == []


@pytest.mark.parametrize(
    ("old", "new", "cell"),
    [("the sum is 2", "the sum is 3", 2), ("{'a': 1}", "{'a': 2}", 3)],
)
def test_another_stored_output_is_found_and_told(paired, old: str, new: str, cell: int):
    change_outputs(stored(paired), old, new)
    ((page, failure),) = differences(paired.execute())
    assert failure.cell == cell
    words = in_words(page, failure)
    assert words.startswith(f"Chapter “One”, section “Sum”, cell {cell} (chapters/01-one.md, line ")
    assert f"stored: {new}" in words
    assert f"now:    {old}" in words


def test_a_lacking_stored_output_is_found(paired):
    notebook = nbformat.read(stored(paired), as_version=4)
    notebook.cells[3].outputs = []
    nbformat.write(notebook, stored(paired))
    ((_, failure),) = differences(paired.execute())
    assert "now:    the sum is 2" in failure.message


def test_an_output_that_is_not_marked_may_change(paired):
    notebook = nbformat.read(stored(paired), as_version=4)
    assert notebook.cells[1].outputs == []
    assert paired.execute()[0].notebook.cells[1].outputs != []
    assert differences(paired.execute()) == []


def test_an_error_in_any_cell_is_found(paired):
    path = paired.add_page(
        "chapters/01-one", "# One", "> x = 1", "> assert x == 2, 'no'", CHECKED, RESULT
    )
    jupytext.write(jupytext.read(path), stored(paired))
    ((_, failure),) = differences(paired.execute())
    assert failure.cell == 2
    assert "AssertionError: no" in failure.message


def test_other_cells_than_those_executed_are_not_compared(paired):
    text = stored(paired).read_text()
    stored(paired).write_text(text.replace("getpid()", "getppid()"))
    ((_, failure),) = differences(paired.execute())
    assert failure.name == "not compared"
    assert "make sync" in failure.message


def test_a_cell_too_many_or_too_few_is_not_compared(paired):
    notebook = json.loads(stored(paired).read_text())
    for cells in (notebook["cells"][:-1], [*notebook["cells"], notebook["cells"][-1]]):
        stored(paired).write_text(json.dumps(notebook | {"cells": cells}))
        ((_, failure),) = differences(paired.execute())
        assert failure.name == "not compared"


def test_one_notebook_that_cannot_be_compared_does_not_hide_another(paired):
    path = paired.add_page("chapters/02-two", "# Two", CHECKED)
    assert synchronise(paired.root, []) == 0
    stored(paired).write_text(stored(paired).read_text().replace("getpid()", "getppid()"))
    change_outputs(path.with_suffix(".ipynb"), "always", "never")
    found = differences(paired.execute())
    assert [page.name for page, _ in found] == ["chapters/01-one", "chapters/02-two"]


def test_a_missing_notebook_is_no_agreement(paired):
    stored(paired).unlink()
    with pytest.raises(RuntimeError, match="USAGE_ERROR"):
        differences(paired.execute())


def test_the_command_executes_what_is_missing_and_fails_on_a_difference(paired, monkeypatch, capfd):
    monkeypatch.setattr(compare_outputs, "ROOT", paired.root)
    paired.write("specmup/value.py", "second")
    capfd.readouterr()
    assert compare_outputs.main([]) == 0
    assert "chapters/01-one: passed" in capfd.readouterr().out
    assert compare_outputs.main([]) == 0
    assert "chapters/01-one: passed" not in capfd.readouterr().out
    change_outputs(stored(paired), "sum is 2", "sum is 3")
    assert compare_outputs.main(["01"]) == 1
    assert "stored: the sum is 3" in capfd.readouterr().out
    with pytest.raises(SystemExit, match="begins with 02"):
        compare_outputs.main(["02"])


def test_the_command_fails_where_any_page_fails_and_tells_it_once(paired, monkeypatch, capfd):
    paired.add_page("book/status", "# Status", "> 1 / 0")
    path = paired.add_page("chapters/01-one", "# One", "> x = 1", "> x = 2\nassert x < 2")
    jupytext.write(jupytext.read(path), stored(paired))
    monkeypatch.setattr(compare_outputs, "ROOT", paired.root)
    assert compare_outputs.main([]) == 1
    out = capfd.readouterr().out
    assert out.count("Page “Status”, cell 1") == 1
    assert out.count("Chapter “One”, cell 2") == 1
    assert "    assert x < 2\n" in out


def test_nothing_to_compare_runs_no_tests():
    assert differences([]) == []
