"""Orders and numbers as a person writes them on a diagram."""

from __future__ import annotations

from fractions import Fraction

from specmup.theory.order import Order

WIDTH, DEPTH = "*n*", "*L*"
WIDTH_RATIO, DEPTH_RATIO = "*r*_{*n*}", "*r*_{*L*}"


def order(size: Order, n: str = WIDTH, L: str = DEPTH) -> str:
    """An order with roots and fractions, in the canvas's markup: ``1/(*n*√*L*)``.

    Args:
        size: The order.
        n: What the width is called.
        L: What the depth is called.
    """
    above: list[str] = []
    below: list[str] = []
    for name, exponent in ((n, size.width), (L, size.depth)):
        if exponent:
            (above if exponent > 0 else below).append(_power(name, abs(exponent)))
    if not below:
        return "".join(above) or "1"
    under = below[0] if len(below) == 1 else f"({''.join(below)})"
    return f"{''.join(above) or '1'}/{under}"


def ratio(size: Order) -> str:
    """An order as the factor of a rule: in ratios to the base's width and depth."""
    return order(size, WIDTH_RATIO, DEPTH_RATIO)


def matrix(name: str, moved: bool = False) -> str:
    """A map of a branch, or its update: ``W1`` as the chapters' W⁽¹⁾, one map alone as W."""
    index = name.removeprefix("W")
    return f"{'Δ' * moved}*W*" + (f"^{{({index})}}" if index else "")


def number(value: float) -> str:
    """A factor as a whole number or as one over a whole number.

    Raises:
        ValueError: If it is neither.
    """
    whole = Fraction(value).limit_denominator(10_000)
    if float(whole) != value or 1 not in (whole.numerator, whole.denominator):
        raise ValueError(f"{value} is no whole number and not one over one: choose other ratios")
    return str(whole)


def _power(name: str, exponent: Fraction) -> str:
    if exponent == 1:
        return name
    return f"√{name}" if exponent == Fraction(1, 2) else f"{name}^{{{exponent}}}"
