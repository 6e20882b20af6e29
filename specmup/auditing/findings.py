"""What an audit found: the nearest rules, what is off them, the equations that break."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specmup.auditing.equations import Broken
from specmup.auditing.needs import DEPTH, WIDTH
from specmup.theory.order import Order


@dataclass(frozen=True)
class Fault:
    """A number that is not what the condition asks for.

    Args:
        pattern: Which parameter's.
        role: Its role.
        number: ``start``, ``learning_rate``, ``weight_decay``, ``epsilon`` or ``multiplier``.
        read: Its power, as the code has it.
        needed: The power that it needs, beside the others of this parameter as they are.
        factors: By how much it is off at the largest size of each axis, where it is.
        look: What it will look like in training.
        harmless: Whether the condition allows it.
    """

    pattern: str
    role: str
    number: str
    read: Order
    needed: Order
    factors: Mapping[str, float]
    look: str
    harmless: bool

    @property
    def off(self) -> Order:
        """The power by which it is off."""
        return self.read / self.needed


@dataclass(frozen=True)
class Row:
    """One parameter in the table: its numbers as powers of the sizes.

    Args:
        pattern: Its name.
        count: How many blocks have it, at the largest size.
        role: Its role.
        read: The power of each number that was read.
        needed: What each would have to be; as read where nothing is wrong with it.
        still: Why nothing moves it; empty where something does.
    """

    pattern: str
    count: int
    role: str
    read: Mapping[str, Order]
    needed: Mapping[str, Order]
    still: str


@dataclass(frozen=True)
class Audit:
    """The answer of :func:`specmup.auditing.audit.audit`.

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
