"""Orders of magnitude n^a·L^b, kept exactly.

Every statement of the theory compares sizes as the width n and the depth L grow. A size is
represented by its exponents and nothing else, so constants cannot creep in. Where other counts
grow as well, such as experts, an order has an exponent for each of them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from specmup.theory.powers import COUNTS, Exponent, Powers, counted, exact, names


class IncomparableOrders(ValueError):
    """Neither order dominates when n and L grow independently."""


@dataclass(frozen=True, init=False)
class Ray(Powers):
    """A way for the sizes to grow together: n = t^width and L = t^depth with t → ∞.

    A count that is not named stays as it is.

    Raises:
        ValueError: If an exponent is negative, or all are zero.
    """

    def __init__(self, width: Exponent, depth: Exponent, **counts: Exponent) -> None:
        """Make the exponents exact and check that something grows."""
        super().__init__(width, depth, **counts)
        grown = [self.of(size) for size in self.sizes]
        if min(grown) < 0 or not any(grown):
            named = "".join(f", {name}={power}" for name, power in self.counts)
            raise ValueError(
                f"Ray(width={self.width}, depth={self.depth}{named}) does not grow: "
                "give non-negative exponents, at least one of them positive"
            )


@dataclass(frozen=True, init=False)
class Order(Powers):
    """The monomial n^width · L^depth, up to a constant, and powers of counts where there are any.

    Multiplying sizes adds exponents: ``Order(1) * Order(0, -1)`` is n/L, and
    ``Order(depth=-1, active=-1)`` is 1/(L·K). The order of a sum is that of its largest term, see
    :func:`maximum` and :func:`dominant`.

    Args:
        width: Exponent of the width n: an int, a ``Fraction`` or a string such as ``"-1/2"``.
        depth: Exponent of the depth L, likewise.
        counts: Exponents of further sizes, by their names in :data:`COUNTS`.

    Raises:
        TypeError: If an exponent is a float, which could not be exact.
        ValueError: If a count is unknown.
    """

    def __mul__(self, other: Order) -> Order:
        """Product of two sizes."""
        width, depth = self.width + other.width, self.depth + other.depth
        if not self.counts and not other.counts:
            return Order(width, depth)
        counts = {name: self.of(name) + other.of(name) for name in counted(self, other)}
        return Order(width, depth, **counts)

    def __truediv__(self, other: Order) -> Order:
        """Quotient of two sizes."""
        return self * other**-1

    def __pow__(self, power: Exponent) -> Order:
        """Rational power of a size."""
        power = exact(power)
        counts = {name: own * power for name, own in self.counts}
        return Order(self.width * power, self.depth * power, **counts)

    def __le__(self, other: Order) -> bool:
        """Whether self = O(other) when all sizes grow independently: a partial order."""
        if self.width > other.width or self.depth > other.depth:
            return False
        return all(self.of(name) <= other.of(name) for name in counted(self, other))

    def __ge__(self, other: Order) -> bool:
        """Whether other = O(self) when all sizes grow independently: a partial order."""
        return other <= self

    def evaluate(self, n: float, L: float, **counts: float) -> float:
        """The number n^width · L^depth, for example with n and L as ratios to a base size.

        Args:
            n: The width.
            L: The depth.
            counts: The counts, by their names in :data:`COUNTS`.

        Raises:
            ValueError: If a size is not positive, or the order has a power of one not given.
        """
        if n <= 0 or L <= 0 or any(count <= 0 for count in counts.values()):
            given = "".join(f", {name}={count}" for name, count in counts.items())
            raise ValueError(f"sizes must be positive, got n={n}, L={L}{given}")
        value = float(n) ** float(self.width) * float(L) ** float(self.depth)
        for name, power in self.counts:
            if name not in counts:
                raise ValueError(f"{self} has a power of the {name}: say how many, {name}=…")
            value *= float(counts[name]) ** float(power)
        return value

    def text(self, n: str = "n", L: str = "L", **letters: str) -> str:
        """Plain text such as ``n^-1·L^-1/2``; ``n``, ``L`` and ``letters`` name the sizes."""
        factors = self._factors(n, L, letters)
        return "·".join(f"{s}^{e}" if e != 1 else s for s, e in factors) or "1"

    def latex(self, n: str = "n", L: str = "L", **letters: str) -> str:
        """LaTeX such as ``n^{-1} L^{-1/2}``; ``n``, ``L`` and ``letters`` name the sizes."""
        factors = self._factors(n, L, letters)
        return " ".join(f"{s}^{{{e}}}" if e != 1 else s for s, e in factors) or "1"

    def exponents(self) -> dict[str, str]:
        """Exponents as strings, ``{"n": "-1/2", "L": "0"}``, and those of counts: used in JSON."""
        counts = {COUNTS[name]: str(power) for name, power in self.counts}
        return {"n": str(self.width), "L": str(self.depth), **counts}

    def _factors(self, n: str, L: str, letters: Mapping[str, str]) -> list[tuple[str, Fraction]]:
        counts = [(letters.get(name, COUNTS[name]), power) for name, power in self.counts]
        return [(s, e) for s, e in ((n, self.width), (L, self.depth), *counts) if e != 0]

    def __str__(self) -> str:
        """Plain text; see :meth:`text`."""
        return self.text()

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


@dataclass(frozen=True)
class Number:
    """A size as a positive number, with the algebra of orders.

    What is written for orders then also says how a size changes between two real shapes, where
    not every dimension grows by the same factor. Only ratios of such numbers mean anything, as
    constants are left out here as they are there.
    """

    value: float

    def __mul__(self, other: Number) -> Number:
        """Product of two sizes."""
        return Number(self.value * other.value)

    def __truediv__(self, other: Number) -> Number:
        """Quotient of two sizes."""
        return Number(self.value / other.value)

    def __pow__(self, power: Exponent) -> Number:
        """Rational power of a size."""
        return Number(self.value ** float(exact(power)))


# Either, but the same throughout: what is written for orders also holds for numbers.
S = TypeVar("S", Order, Number)

ONE = Order()
WIDTH = Order(width=1)
DEPTH = Order(depth=1)
EXPERTS, ACTIVE = Order(experts=1), Order(active=1)
GROUP, HEAD = Order(group=1), Order(head=1)


def maximum(a: S, b: S) -> S:
    """The larger of two sizes, and so the size of their sum; of orders in the joint limit.

    Raises:
        IncomparableOrders: If neither order dominates.
    """
    if isinstance(a, Order):
        return dominant(a, b)
    return max(a, b, key=lambda size: size.value)


def minimum(a: S, b: S) -> S:
    """The smaller of two sizes: a·b/max(a, b)."""
    return a * b / maximum(a, b)


def dominant(*orders: Order, ray: Ray | None = None) -> Order:
    """The order of a sum: its largest term.

    Args:
        *orders: The terms; at least one.
        ray: How the sizes grow together. Without it they grow independently (the joint limit),
            and one term must then be at least as large as the others in every exponent. Terms
            that tie along the ray are of the same order there; the first of them is returned.

    Raises:
        IncomparableOrders: If no term dominates in the joint limit.
        ValueError: If there is no term.
    """
    if not orders:
        raise ValueError("the dominant term of an empty sum is not defined: give at least one")
    if ray is not None:
        return max(orders, key=lambda o: sum(o.of(size) * ray.of(size) for size in ray.sizes))
    sizes = ("width", "depth", *counted(*orders))
    largest = Order(**{size: max(o.of(size) for o in orders) for size in sizes})
    if largest not in orders:
        raise IncomparableOrders(
            f"none of {', '.join(map(str, orders))} dominates when {names(sizes)} grow "
            "independently: state how they grow together, for example ray=Ray(width=1, depth=1)"
        )
    return largest
