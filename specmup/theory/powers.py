"""Exponents of named sizes: the width, the depth, and counts of what else a network may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational

Exponent = Fraction | int | str

# Sizes beside the width n and the depth L, and the letters that they are written with: experts of a
# block, those of them that a token meets, heads of queries that share one of keys and values, and
# the dimension of a head.
COUNTS = {"experts": "E", "active": "K", "group": "Q", "head": "d"}


def exact(exponent: Exponent) -> Fraction:
    """A fraction; a float, which could not be exact, raises ``TypeError``."""
    if type(exponent) is Fraction:  # as nearly all are; what follows takes ten times as long
        return exponent
    if isinstance(exponent, float) or not isinstance(exponent, Rational | str):
        raise TypeError(
            f"exponent {exponent!r} is not exact: give an int, a Fraction or a string like '-1/2'"
        )
    return Fraction(exponent)


def _counts(given: Mapping[str, Exponent]) -> tuple[tuple[str, Fraction], ...]:
    if unknown := [name for name in given if name not in COUNTS]:
        raise ValueError(f"unknown size {unknown[0]!r}: an order has {', '.join(COUNTS)}")
    powers = ((name, exact(given[name])) for name in COUNTS if name in given)
    return tuple((name, power) for name, power in powers if power)


def counted(*orders: Powers) -> list[str]:
    """The counts that occur in any of them; mostly there are none."""
    if not any(order.counts for order in orders):
        return []
    return list(dict.fromkeys(name for order in orders for name, _ in order.counts))


@dataclass(frozen=True)
class Powers:
    """An exponent for each size: the width, the depth, and counts beside them that are not zero."""

    width: Fraction
    depth: Fraction
    counts: tuple[tuple[str, Fraction], ...] = ()

    def __init__(self, width: Exponent = 0, depth: Exponent = 0, **counts: Exponent) -> None:
        """Make all exponents exact fractions, the counts in one order.

        Raises:
            TypeError: If an exponent is a float, which could not be exact.
            ValueError: If a count is not one of :data:`COUNTS`.
        """
        object.__setattr__(self, "width", exact(width))
        object.__setattr__(self, "depth", exact(depth))
        object.__setattr__(self, "counts", _counts(counts) if counts else ())

    def of(self, size: str) -> Fraction:
        """The exponent of a size: ``width``, ``depth`` or a count; 0 where it does not occur."""
        if size in ("width", "depth"):
            return getattr(self, size)
        return dict(self.counts).get(size, Fraction(0))

    @property
    def sizes(self) -> tuple[str, ...]:
        """The sizes that are spoken of: width, depth and the counts that occur."""
        return ("width", "depth", *(name for name, _ in self.counts))


def names(sizes: Sequence[str]) -> str:
    """Such as ``n and L``."""
    *first, last = (({"width": "n", "depth": "L"} | COUNTS)[size] for size in sizes)
    return f"{', '.join(first)} and {last}"
