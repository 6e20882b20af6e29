"""Bring each chapter's MyST source and its notebook into step, and store the checked outputs.

``chapters/NN-name.md`` is what people edit and review; ``NN-name.ipynb`` beside it is what Jupyter
opens and nbval runs. Of all outputs the notebook keeps only those of cells that begin with
``# NBVAL_CHECK_OUTPUT``, since nbval compares these and nothing else.

Where the two differ, the one that was edited since the last commit is the right one; where both
were or neither was, the newer. (A checkout gives all files the time at which it was made.)

``sync_chapters.py`` stores the outputs of the chapters that lack one; naming chapters, for instance
``sync_chapters.py 02 05``, stores what those print now. Chapters run only where no result is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from execute_chapters import EXECUTED, ROOT, execute, failures_in_words
from nbformat import NotebookNode
from outcomes import Outcome
from pages import Settings, chapters, chosen, code_cells, read_pages
from records import Records

MARK = "# NBVAL_CHECK_OUTPUT"


def checked_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells whose output nbval compares."""
    return [cell for cell in code_cells(notebook) if cell.source.startswith(MARK)]


def sources(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Type and text of each cell, without what the two formats may write differently."""
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def drift(chapter: Path) -> str | None:
    """Say how a chapter's notebook differs from its source, or None where it does not.

    Args:
        chapter: The ``.md`` file.
    """
    paired = chapter.with_suffix(".ipynb")
    if not paired.exists():
        return f"{paired.name} is missing: run `make sync`"
    text, notebook = sources(jupytext.read(chapter)), sources(nbformat.read(paired, as_version=4))
    for number, (ours, theirs) in enumerate(zip(text, notebook, strict=False)):
        if ours != theirs:
            return f"cell {number} of {paired.name} differs from {chapter.name}: run `make sync`"
    if len(text) != len(notebook):
        return (
            f"{chapter.name} has {len(text)} cells, {paired.name} {len(notebook)}: run `make sync`"
        )
    return None


def edited(chapter: Path) -> Path | None:
    """Which file of a pair was edited since the last commit: None if that is not one alone."""
    pair = [chapter, chapter.with_suffix(".ipynb")]
    found = []
    for path in pair:
        kept = subprocess.run(
            ["git", "show", f"HEAD:./{path.name}"], cwd=path.parent, capture_output=True
        )
        if kept.returncode == 0 and path.exists() and kept.stdout != path.read_bytes():
            found.append(path)
    return found[0] if len(found) == 1 else None


def make_newest(path: Path) -> None:
    """Give a file of a pair a later time than the other, by which jupytext goes."""
    other = path.with_suffix(".md" if path.suffix == ".ipynb" else ".ipynb")
    later = max(one.stat().st_mtime for one in (path, other)) + 1
    os.utime(path, (later, later))


def without_stored_output(notebook: NotebookNode) -> list[str]:
    """First lines of checked cells that store nothing to compare with."""
    return [c.source.splitlines()[1] for c in checked_cells(notebook) if not c.outputs]


def store_outputs(outcome: Outcome) -> None:
    """Write into a chapter's notebook what its checked cells printed, and no other output."""
    path = outcome.page.path.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    checked = [cell.id for cell in checked_cells(notebook)]
    for cell, executed in zip(code_cells(notebook), code_cells(outcome.notebook), strict=True):
        cell.execution_count = executed.execution_count
        cell.outputs = executed.outputs if cell.id in checked else []
    nbformat.write(notebook, path)


def lacks_output(chapter: Path) -> bool:
    """Whether a chapter's notebook has a checked cell that stores nothing."""
    notebook = nbformat.read(chapter.with_suffix(".ipynb"), as_version=4)
    return bool(without_stored_output(notebook))


def synchronise(root: Path, wanted: list[str]) -> int:
    """Synchronise a book's chapters; store outputs where asked or lacking; return the status."""
    sources = chapters(root)
    asked = chosen(sources, wanted) if wanted else []
    if not sources:
        print(f"there are no chapters in {root}")
        return 0
    for source in sources:
        paired = source.with_suffix(".ipynb").exists()
        if paired and drift(source) is not None and (right := edited(source)) is not None:
            make_newest(right)
    program = Path(sys.executable).with_name("jupytext")
    subprocess.run([program, "--quiet", "--sync", *sources], check=True)
    settings = Settings.of(root)
    pages = read_pages(asked or filter(lacks_output, sources), root, settings)
    records = Records(root / EXECUTED, root)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    for outcome in outcomes:
        if outcome.passed:
            store_outputs(outcome)
    failed = failures_in_words(outcomes)
    print("\n\n".join(failed) or f"{len(sources)} chapters are in step")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(synchronise(ROOT, sys.argv[1:]))
