"""An audit to be read: one table and one verdict, as plain text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable

from specmup.aligned import aligned
from specmup.auditing.findings import Audit, Fault, Row
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
    right = len(audit.rows) - len({f.pattern for f in audit.faults})
    sizes = " and ".join(
        f"{'n' if axis == 'width' else 'L'} = {', '.join(map(str, several))}"
        for axis, several in audit.sizes.items()
    )
    lines = [
        f"{sizes}, {audit.optimizer}, branches of k = {audit.block_depth}: {audit.rule}",
        f"{right} of {len(audit.rows)} kinds of parameters are as the condition asks",
    ]
    return [*lines, *aligned([["", *_told(fault)] for fault in audit.faults])]


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
                "factor": fault.factor,
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


def _told(fault: Fault) -> list[str]:
    return [
        fault.pattern,
        f"{LETTERS[fault.number]} ∝ {power(fault.read)} (rule: {power(fault.needed)})",
        f"×{fault.factor:.4g}",
        fault.look,
    ]


def power(order: Order) -> str:
    """A factor on a base value, as text."""
    return order.text("n", "L")
