"""Rules as tables: plain text, Markdown, LaTeX, JSON."""

from __future__ import annotations

import json

from specmup.theory.order import Order
from specmup.theory.rules import Rule, Rules

COLUMNS = {
    "multiplier": "multiplier",
    "init_variance": "init. variance",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "epsilon": "ε",
}
ABSENT = "–"


def plain(rules: Rules) -> str:
    """An aligned text table, with r_n = n/n_base and r_L = L/L_base."""
    cells = [["role", *COLUMNS.values()]]
    cells += [
        [row.role, *(_cell(o, lambda o: o.text("r_n", "r_L")) for o in _orders(row))]
        for row in rules.values()
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells]
    return "\n".join([rules.title, *lines])


def markdown(rules: Rules) -> str:
    """A Markdown table with mathematics in its cells."""
    head = ["role", *(title.replace("ε", r"$\varepsilon$") for title in COLUMNS.values())]
    lines = [_markdown_row(head), _markdown_row(["---"] * len(head))]
    for row in rules.values():
        cells = (_cell(o, lambda o: f"${o.latex('r_n', 'r_L')}$") for o in _orders(row))
        lines.append(_markdown_row([row.role.replace("_", " "), *cells]))
    return "\n".join(lines)


def latex(rules: Rules) -> str:
    """A LaTeX tabular, without a float around it."""
    head = ["role", *(title.replace("ε", r"$\varepsilon$") for title in COLUMNS.values())]
    lines = [rf"\begin{{tabular}}{{l{'c' * len(COLUMNS)}}}", " & ".join(head) + r" \\ \hline"]
    for row in rules.values():
        cells = (_cell(o, lambda o: f"${o.latex('r_n', 'r_L')}$") for o in _orders(row))
        lines.append(" & ".join([row.role.replace("_", " "), *cells]) + r" \\")
    return "\n".join([*lines, r"\end{tabular}"])


def to_json(rules: Rules) -> str:
    """A JSON list of rows; exponents of n and L as strings, null where there is no ε."""
    rows = [
        {"role": row.role}
        | {
            name: None if order is None else order.exponents()
            for name, order in zip(COLUMNS, _orders(row), strict=True)
        }
        for row in rules.values()
    ]
    return json.dumps(rows, indent=2)


FORMATS = {"table": plain, "json": to_json, "latex": latex, "markdown": markdown}


def _orders(row: Rule) -> list[Order | None]:
    return [getattr(row, column) for column in COLUMNS]


def _cell(order: Order | None, write) -> str:
    return ABSENT if order is None else write(order)


def _markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
