"""A plan to be read: plain text, a rich table, Markdown, HTML, JSON.

Blocks are alike, so a table has one row for the same parameter of all of them. JSON has every one.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a plan makes its report
    from rich.table import Table

    from specmup.apply.planned import ParameterPlan, Plan

COLUMNS = ("parameter", "role", "n_out", "n_in", "α", "std", "η", "λ", "ε")
KINDS = ("init_std", "learning_rate", "weight_decay", "epsilon")


class Report:
    """The plan in forms to be read.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        self.plan = plan

    @property
    def title(self) -> str:
        """One line: what is scaled how far, for which optimizer."""
        plan = self.plan
        sizes = ", ".join(
            f"{name} {size.base:g} → {size.target:g}"
            for name, size in (("width", plan.width), ("depth", plan.depth))
        )
        rules = f"k = {plan.block_depth}" if plan.parametrization == "spectral" else "SP"
        kind = plan.family or "declared architecture"
        return f"{kind}: {sizes}; {plan.optimizer_name}, {rules}, {plan.gauge} gauge"

    def rows(self) -> list[list[str]]:
        """One row for each kind of parameter, as of :data:`COLUMNS`."""
        same: dict[str, list[ParameterPlan]] = {}
        for entry in self.plan.entries:
            same.setdefault(entry.pattern, []).append(entry)
        return [self._row(pattern, alike) for pattern, alike in same.items()]

    def plain(self) -> str:
        """An aligned text table and the notes."""
        cells = [list(COLUMNS), *self.rows()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([self.title, "", *lines, "", *(f"- {n}" for n in self._notes())])

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

        table = Table(
            title=self.title,
            caption="\n".join(self._notes()),
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for column in COLUMNS:
            # What does not fit is folded, not cut off: a number without its end is another one.
            table.add_column(column, overflow="fold")
        for name, *cells in self.rows():
            table.add_row(name, *(cell.replace(" ", "\n", 1) for cell in cells))
        return table

    def markdown(self) -> str:
        """A Markdown table and a list of notes."""
        head = [list(COLUMNS), ["---"] * len(COLUMNS)]
        rows = [[f"`{row[0]}`", *row[1:]] for row in self.rows()]
        table = ["| " + " | ".join(row) + " |" for row in head + rows]
        return "\n".join([f"**{self.title}**", "", *table, "", *(f"- {n}" for n in self._notes())])

    def html(self) -> str:
        """An HTML table and a list of notes, for notebooks."""

        def row(cells: Sequence[str], tag: str) -> str:
            return f"<tr>{''.join(f'<{tag}>{html.escape(c)}</{tag}>' for c in cells)}</tr>"

        rows = "".join(row(cells, "td") for cells in self.rows())
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self._notes())
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead>{row(COLUMNS, 'th')}</thead><tbody>{rows}</tbody></table><ul>{notes}</ul>"
        )

    def json(self) -> str:
        """Everything, parameter by parameter; null where a number is not known or not there."""
        plan = self.plan
        return json.dumps(
            {
                "optimizer_name": plan.optimizer_name,
                "gauge": plan.gauge,
                "parametrization": plan.parametrization,
                "block_depth": plan.block_depth,
                "family": plan.family,
                "width": asdict(plan.width),
                "depth": asdict(plan.depth),
                "multipliers": dict(plan.multipliers),
                "keeps_own_start": plan.keeps_own_start,
                "parameters": {entry.name: _described(entry) for entry in plan.entries},
                "notes": list(plan.notes),
            },
            indent=2,
            ensure_ascii=False,
        )

    def _row(self, pattern: str, alike: list[ParameterPlan]) -> list[str]:
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

    def _notes(self) -> list[str]:
        how = "A number in brackets is the factor on the base value; without one, the factor is 1."
        return [how, *self.plan.notes]


def _cell(value: float | None, factor: float | None) -> str:
    """A value with its factor in brackets; the factor alone where the base value is unknown."""
    if factor is None:
        return "–"
    if value is None:
        return f"(×{factor:.4g})"
    return f"{value:.4g}" if factor == 1 else f"{value:.4g} (×{factor:.4g})"


def _described(entry: ParameterPlan) -> dict:
    described = asdict(entry)
    del described["name"]
    return described
