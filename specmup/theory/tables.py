"""Rules as data, one row a role, and as tables: plain text, Markdown, LaTeX, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypedDict, Unpack

from specmup.aligned import aligned, markdown_table
from specmup.theory.order import COUNTS, Order, S

# ``input`` and ``output`` are the matrices before the first and after the last block, ``hidden``
# those of the residual branches. ``norm_gain`` is the gain of a normalisation inside a branch. One
# after the last block stands outside the sum over blocks, like an input bias, and follows its rule.
ROLES = ("input", "hidden", "output", "input_bias", "hidden_bias", "norm_gain")

COLUMNS = {
    "multiplier": "multiplier",
    "init_variance": "init. variance",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "epsilon": "ε",
}
ABSENT = "–"
# Entries are factors on base values, so they are written in ratios to the base's sizes.
RATIOS = {"n": "r_n", "L": "r_L"} | {name: f"r_{letter}" for name, letter in COUNTS.items()}


@dataclass(frozen=True)
class Rule(Generic[S]):
    """Factors on the base values of all parameters in one role.

    Args:
        role: One of :data:`ROLES`.
        multiplier: Factor on the multiplier of the term in which the parameter stands.
        init_variance: Factor on the variance (not the standard deviation) at initialisation.
        learning_rate: Factor on η.
        weight_decay: Factor on the decoupled decay λ, where a step subtracts η·λ·W.
        epsilon: Factor on the stabiliser ε; None where the optimizer has none.
    """

    role: str
    multiplier: S
    init_variance: S
    learning_rate: S
    weight_decay: S
    epsilon: S | None


class Entries(TypedDict, total=False):
    """Those of a rule's fields that are to be replaced."""

    multiplier: Order
    init_variance: Order
    learning_rate: Order
    weight_decay: Order
    epsilon: Order | None


@dataclass(frozen=True)
class Rules(Mapping[str, Rule[Order]]):
    """One rule a role; a mapping from role to :class:`Rule`.

    Args:
        title: What these rules are, for headings.
        rows: One rule for each of :data:`ROLES`, in that order.
        notes: What to know of a role's row; tables mark it and say it below.
    """

    title: str
    rows: tuple[Rule[Order], ...]
    notes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __getitem__(self, role: str) -> Rule[Order]:
        """The rule of a role; an unknown role raises ``KeyError`` and lists those that exist."""
        for row in self.rows:
            if row.role == role:
                return row
        raise KeyError(f"unknown role {role!r}: choose one of {', '.join(ROLES)}")

    def __iter__(self) -> Iterator[str]:
        """Roles in order."""
        return (row.role for row in self.rows)

    def __len__(self) -> int:
        """Number of roles."""
        return len(self.rows)

    def changed(self, role: str, **entries: Unpack[Entries]) -> Rules:
        """These rules with some entries of one role replaced: a broken rule to test a check with.

        Args:
            role: One of :data:`ROLES`.
            entries: Fields of :class:`Rule`, such as ``learning_rate=WIDTH ** "-1/2"``.
        """
        row = replace(self[role], **entries)
        rows = tuple(row if r.role == role else r for r in self.rows)
        return Rules(f"{self.title}, {role} changed", rows, self.notes)

    def _repr_markdown_(self) -> str:
        return markdown(self)


def plain(rules: Rules) -> str:
    """An aligned text table, with r_n = n/n_base and r_L = L/L_base."""
    cells = [
        ["role", *COLUMNS.values()],
        *_cells(rules, lambda order: order.text(**RATIOS), str),
    ]
    return "\n".join([rules.title, *aligned(cells), *_below(rules, str)])


def markdown(rules: Rules) -> str:
    """A Markdown table with mathematics in its cells."""
    table = markdown_table(_typeset_head(), _typeset_cells(rules))
    return "\n".join([table, *("\n" + note for note in _below(rules, _spaced, "\\*"))])


def latex(rules: Rules) -> str:
    """A LaTeX tabular, without a float around it, and its notes below."""
    head, *rows = (" & ".join(row) + r" \\" for row in (_typeset_head(), *_typeset_cells(rules)))
    begin = rf"\begin{{tabular}}{{l{'c' * len(COLUMNS)}}}"
    notes = ("\n" + note for note in _below(rules, _spaced))
    return "\n".join([begin, rf"{head} \hline", *rows, r"\end{tabular}", *notes])


def to_json(rules: Rules) -> str:
    """A JSON list of rows; exponents of n and L as strings, null where there is no ε.

    A row with something to know of it has one more key, ``note``.
    """
    rows = [
        {"role": row.role}
        | {
            name: None if order is None else order.exponents()
            for name, order in zip(COLUMNS, _orders(row), strict=True)
        }
        | ({"note": rules.notes[row.role]} if row.role in rules.notes else {})
        for row in rules.values()
    ]
    return json.dumps(rows, indent=2)


FORMATS = {"table": plain, "json": to_json, "latex": latex, "markdown": markdown}


def _orders(row: Rule[Order]) -> list[Order | None]:
    return [getattr(row, column) for column in COLUMNS]


def _cells(
    rules: Rules, write: Callable[[Order], str], name: Callable[[str], str]
) -> list[list[str]]:
    """One row a role: its name, with a star if there is a note, and its entries, as asked."""
    return [
        [
            name(row.role) + "*" * (row.role in rules.notes),
            *(ABSENT if o is None else write(o) for o in _orders(row)),
        ]
        for row in rules.values()
    ]


def _below(rules: Rules, name: Callable[[str], str], star: str = "*") -> list[str]:
    """The notes, a line each."""
    return [f"{star} {name(role)}: {note}" for role, note in rules.notes.items()]


def _spaced(role: str) -> str:
    return role.replace("_", " ")


def _typeset_head() -> list[str]:
    return ["role", *(title.replace("ε", r"$\varepsilon$") for title in COLUMNS.values())]


def _typeset_cells(rules: Rules) -> list[list[str]]:
    return _cells(rules, lambda order: f"${order.latex(**RATIOS)}$", _spaced)
