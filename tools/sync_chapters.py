"""Bring each chapter's MyST source and its notebook into step, and store the checked outputs.

``chapters/NN-name.md`` is what people edit and review; ``NN-name.ipynb`` beside it is what Jupyter
opens and nbval runs. Of all outputs the notebook keeps only those of cells that begin with
``# NBVAL_CHECK_OUTPUT``, since nbval compares these and nothing else.

``sync_chapters.py`` runs the chapters that lack such an output; naming chapters, for instance
``sync_chapters.py 02 05``, runs those anew.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
MARK = "# NBVAL_CHECK_OUTPUT"
SECONDS_PER_CELL = 300


def checked_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells whose output nbval compares."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.startswith(MARK)]


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


def without_stored_output(notebook: NotebookNode) -> list[str]:
    """First lines of checked cells that store nothing to compare with."""
    return [c.source.splitlines()[1] for c in checked_cells(notebook) if not c.outputs]


def execute(path: Path) -> None:
    """Run a notebook in its folder and keep the outputs of checked cells only."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    checked = [cell.id for cell in checked_cells(notebook)]
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        if cell.cell_type == "code" and cell.id not in checked:
            cell.outputs = []
    notebook.metadata.pop("language_info", None)  # names the Python that ran it
    nbformat.write(notebook, path)


def main(wanted: list[str]) -> int:
    """Synchronise all chapters; run the wanted ones, or else those that need it."""
    chapters = sorted(CHAPTERS.glob("*.md"))
    if not chapters:
        print(f"there are no chapters in {CHAPTERS}")
        return 0
    program = Path(sys.executable).with_name("jupytext")
    subprocess.run([program, "--quiet", "--sync", *chapters], check=True)
    for chapter in chapters:
        paired = chapter.with_suffix(".ipynb")
        asked = any(chapter.name.startswith(name) for name in wanted)
        lacking = without_stored_output(nbformat.read(paired, as_version=4))
        if asked or (lacking and not wanted):
            print(f"running {paired.name}", flush=True)
            execute(paired)
        print(f"in step: {chapter.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
