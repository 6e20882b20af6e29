"""Rows of words as columns of plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

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
