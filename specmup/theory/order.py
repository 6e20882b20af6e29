"""Orders of magnitude n^a·L^b, kept exactly.

Every statement of the theory compares sizes as the width n and the depth L grow. A size is
represented by its two exponents and nothing else, so constants cannot creep in.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import TypeVar

Exponent = Fraction | int | str


class IncomparableOrders(ValueError):
    """Neither order dominates when n and L grow independently."""


def _exact(exponent: Exponent) -> Fraction:
    if type(exponent) is Fraction:  # as nearly all are; what follows takes ten times as long
        return exponent
    if isinstance(exponent, float) or not isinstance(exponent, Rational | str):
        raise TypeError(
            f"exponent {exponent!r} is not exact: give an int, a Fraction or a string like '-1/2'"
        )
    return Fraction(exponent)


@dataclass(frozen=True)
class Ray:
    """A way for both sizes to grow together: n = t^width and L = t^depth with t → ∞.

    Raises:
        ValueError: If an exponent is negative, or both are zero.
    """

    width: Fraction
    depth: Fraction

    def __init__(self, width: Exponent, depth: Exponent) -> None:
        """Make the exponents exact and check that something grows."""
        object.__setattr__(self, "width", _exact(width))
        object.__setattr__(self, "depth", _exact(depth))
        if min(self.width, self.depth) < 0 or self.width == self.depth == 0:
            raise ValueError(
                f"Ray(width={self.width}, depth={self.depth}) does not grow: "
                "give non-negative exponents, at least one of them positive"
            )


@dataclass(frozen=True)
class Order:
    """The monomial n^width · L^depth, up to a constant.

    Multiplying sizes adds exponents: ``Order(1) * Order(0, -1)`` is n/L. The order of a sum is that
    of its largest term, see :func:`maximum` and :func:`dominant`.

    Args:
        width: Exponent of the width n: an int, a ``Fraction`` or a string such as ``"-1/2"``.
        depth: Exponent of the depth L, likewise.

    Raises:
        TypeError: If an exponent is a float, which could not be exact.
    """

    width: Fraction
    depth: Fraction

    def __init__(self, width: Exponent = 0, depth: Exponent = 0) -> None:
        """Make both exponents exact fractions."""
        object.__setattr__(self, "width", _exact(width))
        object.__setattr__(self, "depth", _exact(depth))

    def __mul__(self, other: Order) -> Order:
        """Product of two sizes."""
        return Order(self.width + other.width, self.depth + other.depth)

    def __truediv__(self, other: Order) -> Order:
        """Quotient of two sizes."""
        return self * other**-1

    def __pow__(self, power: Exponent) -> Order:
        """Rational power of a size."""
        power = _exact(power)
        return Order(self.width * power, self.depth * power)

    def __le__(self, other: Order) -> bool:
        """Whether self = O(other) when n and L grow independently: a partial order."""
        return self.width <= other.width and self.depth <= other.depth

    def __ge__(self, other: Order) -> bool:
        """Whether other = O(self) when n and L grow independently: a partial order."""
        return other <= self

    def evaluate(self, n: float, L: float) -> float:
        """The number n^width · L^depth, for example with n and L as ratios to a base size."""
        if n <= 0 or L <= 0:
            raise ValueError(f"sizes must be positive, got n={n}, L={L}")
        return float(n) ** float(self.width) * float(L) ** float(self.depth)

    def text(self, n: str = "n", L: str = "L") -> str:
        """Plain text such as ``n^-1·L^-1/2``; ``n`` and ``L`` name the two sizes."""
        return "·".join(f"{s}^{e}" if e != 1 else s for s, e in self._factors(n, L)) or "1"

    def latex(self, n: str = "n", L: str = "L") -> str:
        """LaTeX such as ``n^{-1} L^{-1/2}``; ``n`` and ``L`` name the two sizes."""
        return " ".join(f"{s}^{{{e}}}" if e != 1 else s for s, e in self._factors(n, L)) or "1"

    def exponents(self) -> dict[str, str]:
        """Both exponents as strings, ``{"n": "-1/2", "L": "0"}``: the form used in JSON."""
        return {"n": str(self.width), "L": str(self.depth)}

    def _factors(self, n: str, L: str) -> list[tuple[str, Fraction]]:
        return [(s, e) for s, e in ((n, self.width), (L, self.depth)) if e != 0]

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
        return Number(self.value ** float(_exact(power)))


# Either, but the same throughout: what is written for orders also holds for numbers.
S = TypeVar("S", Order, Number)

ONE = Order()
WIDTH = Order(width=1)
DEPTH = Order(depth=1)


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
        ray: How n and L grow together. Without it they grow independently (the joint limit), and
            one term must then be at least as large as the others in both exponents. Terms that
            tie along the ray are of the same order there; the first of them is returned.

    Raises:
        IncomparableOrders: If no term dominates in the joint limit.
        ValueError: If there is no term.
    """
    if not orders:
        raise ValueError("the dominant term of an empty sum is not defined: give at least one")
    if ray is not None:
        return max(orders, key=lambda o: o.width * ray.width + o.depth * ray.depth)
    largest = Order(max(o.width for o in orders), max(o.depth for o in orders))
    if largest not in orders:
        raise IncomparableOrders(
            f"none of {', '.join(map(str, orders))} dominates when n and L grow independently: "
            "state how they grow together, for example ray=Ray(width=1, depth=1)"
        )
    return largest
