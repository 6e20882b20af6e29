"""An audit to be read: one table and one verdict, as plain text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from specmup.aligned import aligned
from specmup.auditing.findings import Audit, Fault, Row
from specmup.parametrization.specs import abbreviated
from specmup.theory.order import Order

LETTERS = {
    "multiplier": "α",
    "start": "start",
    "learning_rate": "η",
    "weight_decay": "λ",
    "epsilon": "ε",
}


def plain(audit: Audit) -> str:
    """The verdict, the table and the notes."""
    head = ["parameter", "role", *LETTERS.values()]
    table = aligned([head, *(_cells(row) for row in audit.rows)])
    return "\n".join([*verdict(audit), "", *table, "", *(f"- {note}" for note in audit.notes)])


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
        verdict += f", but branches of {_maps(audit.block_depth)} need {audit.asked}"
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


def to_json(audit: Audit) -> str:
    """Everything that was found; powers as exponents of n and L."""
    told = {
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
    return json.dumps(told, indent=2, ensure_ascii=False)


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
