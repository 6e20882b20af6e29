"""Rows of words as tables: columns of plain text, or Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from specmup.foreign import printable


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """A line a row, its cells in columns of one width, two spaces apart.

    Args:
        rows: Of equally many cells; the head of the table is one of them.
        right: Numbers of the columns that end at the right, as numbers do.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        told = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(cells))
        lines.append("  ".join(told).rstrip())
    return lines


def markdown_table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Cells stand as they are: what strangers wrote is escaped before.

    Args:
        head: The names of the columns.
        rows: Of as many cells each.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
