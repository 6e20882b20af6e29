"""A plan to be read: plain text, a rich table, Markdown, HTML.

Blocks are alike, so a table has one row for the same parameter of all of them.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from specmup.aligned import aligned, markdown_table
from specmup.foreign import code_in_markdown, in_markdown, printable
from specmup.parametrization.attention import AttentionScale
from specmup.parametrization.parameter_plan import ParameterPlan

if TYPE_CHECKING:  # loaded when a table is asked for
    from rich.table import Table

COLUMNS = ("parameter", "role", "n_out", "n_in", "α", "std", "η", "λ", "ε")
HOW_TO_READ = "A number in brackets is the factor on the base value; without one, the factor is 1."
KINDS = ("init_std", "learning_rate", "weight_decay", "epsilon")


class Report:
    """The plan in forms to be read.

    Args:
        title: One line above the table.
        entries: Every parameter's numbers.
        notes: What stands below the table.
        attention: Scales of attention logits.
    """

    def __init__(
        self,
        title: str,
        entries: Sequence[ParameterPlan],
        notes: Sequence[str],
        attention: Sequence[AttentionScale] = (),
    ) -> None:
        """Put the entries into rows, one for each kind of parameter, as of :data:`COLUMNS`."""
        same: dict[str, list[ParameterPlan]] = {}
        for entry in entries:
            same.setdefault(entry.pattern, []).append(entry)
        self.title = printable(title)
        rows = [_row(pattern, alike) for pattern, alike in same.items()]
        rows += _of_attention(attention)
        self.rows = [[printable(cell) for cell in row] for row in rows]
        self.notes = [HOW_TO_READ, *map(printable, notes)]

    def plain(self) -> str:
        """An aligned text table and the notes."""
        lines = aligned([COLUMNS, *self.rows])
        return "\n".join([self.title, "", *lines, "", *(f"- {n}" for n in self.notes)])

    def __str__(self) -> str:
        """As :meth:`plain`."""
        return self.plain()

    def __rich__(self) -> Table:
        """As :meth:`rich`, for ``rich.print``."""
        return self.rich()

    def _repr_html_(self) -> str:
        return self.html()

    def rich(self) -> Table:
        """A table for :class:`rich.console.Console`, with the notes below it."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text  # takes no word for markup

        table = Table(
            title=Text(self.title, style="table.title"),
            caption=Text("\n".join(self.notes), style="table.caption"),
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for column in COLUMNS:
            # What does not fit is folded, not cut off: a number without its end is another one.
            table.add_column(column, overflow="fold")
        for name, *cells in self.rows:
            table.add_row(Text(name), *(Text(cell.replace(" ", "\n", 1)) for cell in cells))
        return table

    def markdown(self) -> str:
        """A Markdown table and a list of notes."""
        rows = [[code_in_markdown(name), *map(in_markdown, cells)] for name, *cells in self.rows]
        notes = (f"- {in_markdown(note)}" for note in self.notes)
        return "\n".join(
            [f"**{in_markdown(self.title)}**", "", markdown_table(COLUMNS, rows), "", *notes]
        )

    def html(self) -> str:
        """An HTML table and a list of notes, for notebooks."""

        def row(cells: Sequence[str], tag: str) -> str:
            return f"<tr>{''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in cells)}</tr>"

        rows = "".join(row(cells, "td") for cells in self.rows)
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead>{row(COLUMNS, 'th')}</thead><tbody>{rows}</tbody></table><ul>{notes}</ul>"
        )


def _row(pattern: str, alike: list[ParameterPlan]) -> list[str]:
    entry = alike[0]
    name = pattern if len(alike) == 1 else f"{pattern} (×{len(alike)})"
    factors, folded = entry.factors, entry.factors.folded
    multiplier = _cell(entry.multiplier, factors.multiplier)
    if folded != 1:
        multiplier = f"{folded:.4g} folded in"
    numbers = [_cell(getattr(entry, kind), getattr(factors, kind)) for kind in KINDS]
    if entry.init_std == 0:
        numbers[0] = "0"
    return [
        "".join([name, *(f" = {alias}" for alias in entry.tied)]),
        entry.role,
        str(entry.fan_out),
        str(entry.fan_in),
        multiplier,
        *numbers,
    ]


def _of_attention(scales: Sequence[AttentionScale]) -> Iterator[list[str]]:
    """Rows of what is no parameter: numbers that attention logits are multiplied by."""
    alike = Counter((one.pattern, one.value, one.factor) for one in scales)
    for (pattern, value, factor), count in alike.items():
        name = pattern if count == 1 else f"{pattern} (×{count})"
        yield [name, "attention", "–", "–", _cell(value, factor), "–", "–", "–", "–"]


def _cell(value: float | None, factor: float | None) -> str:
    """A value with its factor in brackets; the factor alone where the base value is unknown."""
    if factor is None:
        return "–"
    if value is None:
        return f"(×{factor:.4g})"
    return f"{value:.4g}" if factor == 1 else f"{value:.4g} (×{factor:.4g})"
