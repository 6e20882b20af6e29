"""What an audit finds of one parameter: its powers, and the numbers that are off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
