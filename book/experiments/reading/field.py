"""The rules that others print (``book/data/parametrizations.toml``), read and held against ours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from specmup.theory.departures import Departure, Scaling, departures
from specmup.theory.order import ONE, Order
from specmup.theory.rules import laws_of, parametrization, rules, standard
from specmup.theory.tables import ROLES, Rule
from specmup.theory.update import update_law

# A row's fields, in the words of the file.
ENTRIES = {
    "multiplier": "multiplier",
    "init_variance": "start",
    "learning_rate": "rate",
    "weight_decay": "decay",
    "epsilon": "epsilon",
}
_FILE = Path(__file__).parents[2] / "data" / "parametrizations.toml"
SIZES = {"n": "width", "L": "depth"}


@dataclass(frozen=True)
class Printed:
    """A rule as somebody prints it.

    Args:
        name: What it is called.
        cite: Its key in the bibliography; None for the standard parametrization.
        where: The place in the source.
        speaks: ``n``, or ``nL`` where it says something of the depth.
        scaling: What it says.
        said: Role and entry of what it says; the rest is neither judged nor compared.
    """

    name: str
    cite: str | None
    where: str
    speaks: str
    scaling: Scaling
    said: frozenset[tuple[str, str]]

    def departures(self, block_depth: int) -> list[Departure]:
        """Every demand on what it says, for branches of ``block_depth`` maps."""
        beside = {"decay": "weight_decay", "epsilon": "epsilon", "start": "init_variance"}
        return [
            d
            for d in departures(self.scaling, block_depth)
            if (d.role, beside.get(d.demand, "learning_rate")) in self.said
        ]

    def met(self, block_depth: int, size: str = "nL") -> bool:
        """Whether all demands are, as far as the powers of the given sizes go."""
        return all(
            met_in(departure, letter)
            for departure in self.departures(block_depth)
            for letter in size
        )


def met_in(departure: Departure, letter: str) -> bool:
    """Whether a demand is met in the powers of one size, ``n`` or ``L``."""
    off = getattr(departure.off, SIZES[letter])
    return off <= 0 if departure.bound else off == 0


def order(text: str) -> Order:
    """The order that is written as orders are printed: ``n^-1·L^1/2``, ``n``, ``1``.

    Raises:
        ValueError: If it is not.
    """
    found = ONE
    for factor in text.split("·"):
        if factor == "1":
            continue
        letter, _, exponent = factor.partition("^")
        if letter not in SIZES:
            raise ValueError(f"{text!r} is no product of powers of n and L")
        found = found * Order(**{SIZES[letter]: exponent or 1})
    return found


def printed() -> dict[str, Printed]:
    """All of them by name, the standard parametrization of two optimizers first."""
    found = {}
    for optimizer, title in (("sgd", "SP, SGD"), ("adamw", "SP, AdamW")):
        scaling = Scaling.of(standard(optimizer), optimizer)
        rows = {role: scaling.rows[role] for role in ("input", "hidden", "output")}
        said = frozenset((role, entry) for role in rows for entry in ENTRIES)
        found[title] = Printed(title, None, "", "n", replace(scaling, rows=rows), said)
    told = tomllib.loads(_FILE.read_text("utf-8"))
    for table in told["rules"]:
        found[table["name"]] = _printed(table)
    return found


def carried_to_ours(rule: Printed, block_depth: int) -> dict[str, Order]:
    """By role the c of W = c·W' that turns a rule into the solver's, entry by entry.

    A rule that speaks of the width alone is compared at a fixed depth.

    Raises:
        ValueError: If no gauge does; the message names the first entry that differs.
    """
    ours, gauges = _solved(rule, block_depth), {}
    for role, theirs in rule.scaling.rows.items():
        # What the gauge must move: the multiplier next to the parameter, at its depth.
        c = gauges[role] = ours.rows[role].multiplier / theirs.multiplier
        moved = rule.scaling.regauged(role, c, block_depth).rows[role]
        for entry in ENTRIES:
            now, asked = getattr(moved, entry), getattr(ours.rows[role], entry)
            if (role, entry) in rule.said and not _same(now, asked, rule.speaks):
                raise ValueError(f"{rule.name}: {role}, {entry} is {now}, and {asked} is asked")
    if not _same(rule.scaling.branch, ours.branch, rule.speaks):
        raise ValueError(f"{rule.name}: branches have {rule.scaling.branch}, not {ours.branch}")
    return gauges


def _solved(rule: Printed, block_depth: int) -> Scaling:
    """The solver's rules for what trains a printed rule."""
    laws = rule.scaling.laws
    one = len({law.name for law in laws.values()}) == 1
    name = laws["hidden"].name
    table = rules(name, block_depth) if one else parametrization(f"k{min(block_depth, 2)}", name)
    return replace(Scaling.of(table, name), laws=laws)


def _same(one: Order, other: Order, sizes: str) -> bool:
    off = one / other
    return all(getattr(off, SIZES[letter]) == 0 for letter in sizes)


def _printed(table: Mapping) -> Printed:
    rows = {role: _row(role, table[role]) for role in ROLES if role in table}
    law = table["law"]
    laws = (
        laws_of(update_law(law))
        if isinstance(law, str)
        else {role: update_law(name) for role, name in law.items()}
    )
    scaling = Scaling(laws, rows, order(table.get("branch", "1")), frozenset(table.get("zero", ())))
    said = frozenset(_said(table, rows))
    return Printed(table["name"], table["cite"], table["where"], table["speaks"], scaling, said)


def _said(table: Mapping, rows: Mapping) -> Iterator[tuple[str, str]]:
    for role in rows:
        for entry, word in ENTRIES.items():
            if entry == "multiplier" or word in table[role]:
                yield role, entry


def _row(role: str, told: Mapping[str, str]) -> Rule[Order]:
    """A row; what it does not say is one, and is neither judged nor compared."""
    numbers = {entry: order(told.get(word, "1")) for entry, word in ENTRIES.items()}
    epsilon = numbers.pop("epsilon")
    return Rule(role, **numbers, epsilon=epsilon if "epsilon" in told else None)
