"""The answer of an audit: one verdict and one table, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specmup.aligned import aligned
from specmup.auditing.equations import Broken
from specmup.auditing.findings import Fault, Row
from specmup.auditing.needs import DEPTH, WIDTH
from specmup.foreign import printable
from specmup.inspection.names import abbreviated
from specmup.theory.order import Order

LETTERS = {
    "multiplier": "α",
    "start": "start",
    "learning_rate": "η",
    "weight_decay": "λ",
    "epsilon": "ε",
}


@dataclass(frozen=True, repr=False)
class Audit:
    """The answer of :func:`specmup.auditing.audit.audit`; prints as a verdict and a table.

    Args:
        optimizer: The update law's name in prose.
        block_depth: Number k of maps in a branch.
        sizes: Those of each axis that were built.
        nearest: For each axis, the rule that the fewest numbers are off.
        needed: For each axis, the rule that the condition asks for.
        rows: One for each pattern of parameters.
        faults: Numbers that are off what the condition asks for.
        broken: Equations of the condition that do not hold.
        notes: What to know of this audit.
    """

    optimizer: str
    block_depth: int
    sizes: Mapping[str, tuple[int, ...]]
    nearest: Mapping[str, str]
    needed: Mapping[str, str]
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]
    broken: tuple[Broken, ...]
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether all numbers are as the condition asks, but for harmless ones."""
        return all(fault.harmless for fault in self.faults)

    @property
    def rule(self) -> str:
        """The nearest rule by its name."""
        return named(self.nearest)

    @property
    def asked(self) -> str:
        """The rule that the condition asks for, by its name."""
        return named(self.needed)

    def __str__(self) -> str:
        """The verdict, the table, the equations that do not hold, and the notes."""
        return plain(self)

    def __repr__(self) -> str:
        """One line."""
        return f"<Audit: {self.rule}, {len(self.faults)} numbers off>"

    def to_json(self) -> str:
        """Everything that was found; powers as exponents of n and L."""
        return json.dumps(_as_json(self), indent=2, ensure_ascii=False)


def named(rules: Mapping[str, str]) -> str:
    """One name for what is done along both axes."""
    both = rules.get(WIDTH), rules.get(DEPTH)
    if both == ("SP", "no rule"):
        return "the standard parametrization"
    if both == ("μP", "no rule"):
        return "μP of the width alone"
    if both[0] == "μP" and both[1] is not None:
        return f"the rule {both[1]}"
    return " and ".join(f"{rule} in {axis}" for axis, rule in rules.items())


def plain(audit: Audit) -> str:
    """The verdict, the table and the notes."""
    head = ["parameter", "role", *LETTERS.values()]
    table = aligned([head, *(_cells(row) for row in audit.rows)])
    parts = [verdict(audit), table, list(_equations(audit)), [f"- {n}" for n in audit.notes]]
    return "\n\n".join("\n".join(map(printable, part)) for part in parts if part)


def _equations(audit: Audit) -> Iterator[str]:
    """The equations that do not hold: a line for each way in which one does not."""
    alike: dict[tuple[str, Order, str], list[Broken]] = {}
    for one in audit.broken:
        alike.setdefault((str(one.statement), one.off, one.look), []).append(one)
    if alike:
        yield "equations of the condition that do not hold:"
    for (statement, off, look), several in alike.items():
        where = "; ".join(
            dict.fromkeys(", ".join(f"{k} = {v}" for k, v in b.where.items()) for b in several[:2])
        )
        more = f" and {len(several) - 2} more" if len(several) > 2 else ""
        yield f"  {statement}, but ∝ {power(off)} times it: {look}"
        yield f"    ({where}{more})"


def verdict(audit: Audit) -> list[str]:
    """What is right, then what is wrong: a line for each number that is off."""
    sizes = " and ".join(
        f"{'n' if axis == 'width' else 'L'} = {', '.join(map(str, several))}"
        for axis, several in audit.sizes.items()
    )
    wrong = {fault.pattern for fault in audit.faults}
    right = sum(row.pattern not in wrong for row in audit.rows)
    verdict = f"{sizes}: this is {audit.rule} for {audit.optimizer}"
    if audit.rule != audit.asked:
        needs = f"branches of {_maps(audit.block_depth)} need"
        verdict += (
            f", but {needs if DEPTH in audit.sizes else 'the condition asks for'} {audit.asked}"
        )
    elif not audit.agrees:
        verdict += ", but for what is said below"
    elif audit.faults:
        verdict += ", but for what is harmless"
    return [
        verdict,
        f"{right} of {len(audit.rows)} kinds of parameters are as the condition asks",
        *_by_kind(audit),
    ]


def _maps(count: int) -> str:
    return "one map" if count == 1 else f"{count} maps"


def _factors(audit: Audit, fault: Fault) -> str:
    letters = {"width": "n", "depth": "L"}
    return ", ".join(
        f"×{factor:.3g} at {letters[axis]} = {audit.sizes[axis][-1]}"
        for axis, factor in fault.factors.items()
    )


def _by_kind(audit: Audit) -> Iterator[str]:
    """Two lines for what is wrong alike with several parameters."""
    alike: dict[tuple, list[Fault]] = {}
    for fault in audit.faults:
        key = fault.number, fault.read, fault.needed, fault.look
        alike.setdefault(key, []).append(fault)
    for (number, read, needed, look), several in alike.items():
        letter = LETTERS[number]
        yield (
            f"  {abbreviated(fault.pattern for fault in several)}: {letter} ∝ {power(read)}, "
            f"the rule ∝ {power(needed)}: {_factors(audit, several[0])}"
        )
        yield f"    {look}"


def _as_json(audit: Audit) -> dict:
    return {
        "agrees": audit.agrees,
        "rule": audit.rule,
        "nearest": dict(audit.nearest),
        "needed": dict(audit.needed),
        "optimizer": audit.optimizer,
        "block_depth": audit.block_depth,
        "sizes": {axis: list(several) for axis, several in audit.sizes.items()},
        "faults": [
            {
                "parameter": fault.pattern,
                "number": fault.number,
                "read": fault.read.exponents(),
                "needed": fault.needed.exponents(),
                "factors": dict(fault.factors),
                "harmless": fault.harmless,
                "look": fault.look,
            }
            for fault in audit.faults
        ],
        "broken": [
            {
                "equation": str(b.statement),
                "where": dict(b.where),
                "off": b.off.exponents(),
                "look": b.look,
            }
            for b in audit.broken
        ],
        "parameters": {
            row.pattern: {
                "role": row.role,
                "blocks": row.count,
                "read": {name: order.exponents() for name, order in row.read.items()},
                "still": row.still or None,
            }
            for row in audit.rows
        },
        "notes": list(audit.notes),
    }


def _cells(row: Row) -> list[str]:
    name = row.pattern if row.count == 1 else f"{row.pattern} (×{row.count})"
    if row.still:
        return [name, row.role, row.still, *[""] * (len(LETTERS) - 1)]
    return [name, row.role, *(_cell(row, number) for number in LETTERS)]


def _cell(row: Row, number: str) -> str:
    if number not in row.read:
        return "–"
    read, needed = row.read[number], row.needed[number]
    return power(read) if read == needed else f"{power(read)} ≠ {power(needed)}"


def power(order: Order) -> str:
    """A factor on a base value, as text."""
    return order.text("n", "L")
