"""Each chapter's source and notebook hold the same cells."""

import os
import subprocess
from pathlib import Path

import jupytext
import nbformat
import pytest
from sync_chapters import drift, edited, make_newest, synchronise, without_stored_output

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.md"))

SOURCE = """\
---
jupytext:
  formats: md:myst,ipynb
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A question

```{code-cell} ipython3
# NBVAL_CHECK_OUTPUT
print(1 + 1)
```

```{code-cell} ipython3
print("not kept")
```
"""


@pytest.fixture
def chapter(small_book) -> Path:
    path = small_book.write("chapters/01-question.md", SOURCE)
    jupytext.write(jupytext.read(path), path.with_suffix(".ipynb"))
    return path


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_and_notebook_are_in_step(path: Path):
    assert drift(path) is None


def committed(folder: Path) -> None:
    told = {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"]}
    for line in ("init -q", "add -A", "-c user.name=a -c user.email=a@b commit -q -m first"):
        subprocess.run(["git", *line.split()], cwd=folder, check=True, env=told)


@pytest.mark.parametrize("suffix", [".md", ".ipynb"])
def test_the_file_that_was_edited_is_right_whatever_its_time(chapter, suffix):
    committed(chapter.parent)
    assert edited(chapter) is None
    changed, other = (
        chapter.with_suffix(suffix),
        chapter.with_suffix({".md": ".ipynb"}.get(suffix, ".md")),
    )
    changed.write_text(changed.read_text().replace("not kept", "another"))
    os.utime(changed, (0, 0))
    assert edited(chapter) == changed
    make_newest(changed)
    assert changed.stat().st_mtime > other.stat().st_mtime
    other.write_text(other.read_text().replace("1 + 1", "1 + 2"))
    assert edited(chapter) is None


def test_nothing_is_known_of_what_was_edited_without_a_commit(chapter):
    assert edited(chapter) is None


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_checked_cells_store_what_they_are_checked_against(path: Path):
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    assert without_stored_output(notebook) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_holds_no_control_characters(path: Path):
    r"""A ``\v`` or ``\f`` left by an editing script breaks the builder's count of lines."""
    found = [c for c in path.read_text() if ord(c) < 32 and c != "\n"]
    assert found == []


def test_every_notebook_has_a_source():
    notebooks = {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}
    assert notebooks == {path.stem for path in CHAPTERS}


def test_a_fresh_pair_is_in_step(chapter: Path):
    assert drift(chapter) is None


@pytest.mark.parametrize(
    "edit", [("1 + 1", "1 + 2"), ("A question", "Another"), ('print("not kept")', "")]
)
def test_an_edit_to_the_source_is_noticed(chapter: Path, edit: tuple[str, str]):
    chapter.write_text(SOURCE.replace(*edit))
    assert "differs" in drift(chapter)


def test_a_new_cell_and_a_missing_notebook_are_noticed(chapter: Path):
    chapter.write_text(SOURCE + "\nOne more paragraph.\n")
    assert "3 cells" in drift(chapter) or "4 cells" in drift(chapter)
    chapter.with_suffix(".ipynb").unlink()
    assert "missing" in drift(chapter)


def test_running_stores_the_checked_output_alone(chapter: Path, small_book, capfd):
    path = chapter.with_suffix(".ipynb")
    assert without_stored_output(nbformat.read(path, as_version=4)) == ["print(1 + 1)"]
    assert synchronise(small_book.root, []) == 0
    notebook = nbformat.read(path, as_version=4)
    assert without_stored_output(notebook) == []
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert [len(o) for o in outputs] == [1, 0]
    assert outputs[0][0]["text"] == "2\n"
    assert drift(chapter) is None
    assert "01-question: passed" in capfd.readouterr().out
    before = path.read_bytes()
    assert synchronise(small_book.root, ["01"]) == 0  # the kept result, stored once more
    assert path.read_bytes() == before
    assert "01-question: passed" not in capfd.readouterr().out


def test_a_chapter_that_fails_stores_nothing_and_is_named(chapter: Path, small_book, capfd):
    chapter.write_text(SOURCE.replace("1 + 1", "1 / 0"))
    assert synchronise(small_book.root, []) == 1
    assert "ZeroDivisionError" in capfd.readouterr().out
    assert drift(chapter) is None
    notebook = nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)
    assert without_stored_output(notebook) == ["print(1 / 0)"]


def test_a_chapter_that_is_not_there_is_refused(chapter: Path, small_book):
    with pytest.raises(SystemExit, match="begins with 02"):
        synchronise(small_book.root, ["02"])
