"""What came of executing a page, and how a reader is told."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from textwrap import dedent

from nbformat import NotebookNode
from pages import Page, Place

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
WHERE = re.compile(r"Cell In\s?\[\d+\], line (\d+)")

# Failures that tell of time, memory or the machine, and nothing of what a page computes.
CUT_OFF = HUNG, DIED, NOT_STARTED = "hung", "the kernel died", "no kernel started"


@dataclass(frozen=True)
class Failure:
    """Why a page did not pass.

    Attributes:
        cell: Number of the cell among the page's code cells, from 1; 0 where no cell is to blame.
        section: The nearest heading above the cell.
        line: Line of the page's file that failed, from 1.
        source: The statement that failed, as it is written there.
        name: What kind of failure, such as ``AssertionError``.
        message: What it said.
        traceback: How it came about, for whoever mends it; may be empty.
    """

    cell: int
    section: str
    line: int
    source: str
    name: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one page.

    Attributes:
        page: The page.
        seconds: How long its execution took, now or when the kept result was made.
        notebook: Its cells with their outputs, up to the cell that failed.
        failure: Why it did not pass, or None.
        ran: Whether it was executed now, rather than found among the kept results.
    """

    page: Page
    seconds: float
    notebook: NotebookNode
    failure: Failure | None
    ran: bool

    @property
    def passed(self) -> bool:
        """Whether every cell ran and none wrote to the error stream."""
        return self.failure is None

    @property
    def cut_off(self) -> bool:
        """Whether its time or its kernel ended before its cells did."""
        return self.failure is not None and self.failure.name in CUT_OFF


def at_cell(place: Place, name: str, message: str, traceback: str = "") -> Failure:
    """A failure of one cell, narrowed to a statement where the traceback names a line of it.

    Args:
        place: The cell.
        name: What kind of failure.
        message: What it said.
        traceback: IPython's, its colours included.
    """
    traceback = COLOURS.sub("", traceback)
    found = WHERE.search(traceback)
    first, statement = statement_at(place.source, int(found[1]) if found else None)
    line = place.line + first - 1
    return Failure(place.number, place.section, line, statement, name, message, traceback)


def without_cell(page: Page, name: str, message: str) -> Failure:
    """A failure of a page before any of its cells ran."""
    return Failure(0, page.title, 1, "", name, message)


def found_in(page: Page, notebook: NotebookNode) -> Failure | None:
    """The first output of an executed page that must not be in it, or None.

    That is an error that its cell does not announce, or anything on the error stream.
    """
    for index, place in page.places.items():
        cell = notebook.cells[index]
        announced = "raises-exception" in cell.metadata.get("tags", [])
        for output in cell.outputs:
            if output.output_type == "error" and not announced:
                trace = "\n".join(output.traceback)
                return at_cell(place, output.ename, output.evalue, trace)
            if output.output_type == "stream" and output.name == "stderr":
                return at_cell(place, "wrote to the error stream", output.text)
    return None


def statement_at(source: str, line: int | None) -> tuple[int, str]:
    """The innermost statement that holds a line of a cell, and the line on which it begins.

    Args:
        source: The cell's code.
        line: A line of it, from 1; None for the first that does something.

    Returns:
        The statement's first line, from 1, and its text; of a loop or a definition, its head.
    """
    lines = source.splitlines()
    if line is None:
        does = (n for n, text in enumerate(lines, 1) if text.strip() and text.lstrip()[0] != "#")
        line = next(does, 1)
    try:
        statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)]
    except SyntaxError:  # the failure itself, or one of IPython's own commands
        statements = []
    around = [node for node in statements if node.lineno <= line <= node.end_lineno]
    if not around:
        return line, "".join(lines[line - 1 : line]).strip()
    inner = min(around, key=lambda node: node.end_lineno - node.lineno)
    body = getattr(inner, "body", None)
    last = max(inner.lineno, body[0].lineno - 1) if body else inner.end_lineno
    return inner.lineno, dedent("\n".join(lines[inner.lineno - 1 : last]))


def in_words(page: Page, failure: Failure) -> str:
    """A failure as a reader is told it: where it is, what the book says there, what came out."""
    kind = "Chapter" if page.name.startswith("chapters/") else "Page"
    words = [f"{kind} “{page.title}”"]
    if failure.section != page.title:
        words.append(f"section “{failure.section}”")
    if failure.cell:
        words.append(f"cell {failure.cell}")
    where = f"{', '.join(words)} ({page.name}.md, line {failure.line}):"
    code = [f"    {text}" for text in shortened(failure.source, most=4)]
    message = ": ".join(filter(None, (failure.name, failure.message)))
    said = [f"    {text}" for text in shortened(message, most=8)]
    return "\n".join([where, *code, *said])


def shortened(text: str, most: int) -> list[str]:
    """The first lines of a text, its blank ones left out, with a mark where more follow."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return lines if len(lines) <= most else [*lines[: most - 1], "…"]
