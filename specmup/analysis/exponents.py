"""Exponents with their intervals, and what they say about a predicted order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from specmup.analysis.interval import Interval
from specmup.theory.order import Order

# Half the distance between two neighbouring orders: the theory's powers are multiples of 1/2. An
# exponent whose interval lies so near to one of them is nearer to it than to any other.
TOLERANCE = 0.25


@dataclass(frozen=True, repr=False)
class Exponents:
    """The fit size ≈ constant·n^width·L^depth, each exponent with its 95 % interval.

    Attributes:
        width: Exponent of n, or None where the width did not vary.
        depth: Exponent of L, or None where the depth did not vary or was not given.
        constant: The prefactor, including whatever an axis that was not fitted contributes.
        widths: The distinct widths measured.
        depths: The distinct depths measured; empty if none were given.
        seeds: How many seeds have every size, and so an exponent of their own.
    """

    width: Interval | None
    depth: Interval | None
    constant: float
    widths: tuple[float, ...]
    depths: tuple[float, ...]
    seeds: int

    def evaluate(self, width: float = 1.0, depth: float = 1.0) -> float:
        """The fitted size at one width and depth; an axis that was not fitted is ignored."""
        a, b = (e.estimate if e is not None else 0.0 for e in (self.width, self.depth))
        return self.constant * width**a * depth**b

    def verdict(self, predicted: Order, tolerance: float = TOLERANCE) -> Verdict:
        """Hold the fit against an exact order; see :class:`Verdict`.

        Args:
            predicted: The theory's order of the size.
            tolerance: How far an exponent measured at finite size may lie from its limit; half the
                distance to the order that it is to be told from.

        Raises:
            ValueError: If the tolerance is not positive.
        """
        if not 0 < tolerance < np.inf:
            raise ValueError(f"tolerance must be positive and finite, got {tolerance}")
        return Verdict(self, predicted, tolerance)

    def __str__(self) -> str:
        """Text such as ``n^(-0.02 ± 0.03) · L^(-0.48 ± 0.05)``, and what was not fitted."""
        return self._powers() + "".join(f" ({note})" for note in self._not_fitted())

    __repr__ = __str__

    def _powers(self) -> str:
        fitted = {"n": self.width, "L": self.depth}
        return " · ".join(f"{s}^({e})" for s, e in fitted.items() if e is not None)

    def _not_fitted(self) -> list[str]:
        axes = (("n", self.width, self.widths), ("L", self.depth, self.depths))
        return [
            f"{symbol} = {sizes[0]:g} throughout: not fitted"
            for symbol, exponent, sizes in axes
            if exponent is None and sizes
        ]


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a fit says about a predicted order: agrees, disagrees, or cannot tell.

    An exponent agrees if its whole interval lies within ``tolerance`` of the prediction and
    disagrees if the whole interval lies outside that band; otherwise the data cannot tell. Both
    exponents must agree for the fit to agree, and one that disagrees is enough to disagree. An axis
    that was not fitted is not judged, and the text says so where the prediction depends on it.

    There are three answers, so a verdict has no truth value: ask ``agrees`` or ``disagrees``.
    """

    measured: Exponents
    predicted: Order
    tolerance: float

    @property
    def answer(self) -> Literal["agrees", "disagrees", "cannot tell"]:
        """One of ``"agrees"``, ``"disagrees"``, ``"cannot tell"``."""
        judged = [self._judge(e, float(p)) for e, p in self._fitted()]
        if "disagrees" in judged:
            return "disagrees"
        return "agrees" if set(judged) == {"agrees"} else "cannot tell"

    @property
    def agrees(self) -> bool:
        """Whether the data support the prediction to within the tolerance."""
        return self.answer == "agrees"

    @property
    def disagrees(self) -> bool:
        """Whether the data rule the prediction out."""
        return self.answer == "disagrees"

    def __bool__(self) -> bool:
        """Refuse: ``assert verdict`` would pass whatever was measured."""
        raise TypeError(f"a verdict has three answers ({self}): ask .agrees or .disagrees")

    def __str__(self) -> str:
        """Text such as ``agrees: measured L^(-0.48 ± 0.05), predicted L^-1/2``."""
        fit, order = self.measured, self.predicted
        tested = Order(
            order.width if fit.width is not None else 0, order.depth if fit.depth is not None else 0
        )
        untested = order / tested
        note = f" ({untested} not tested)" if untested != Order() else ""
        return f"{self.answer}: measured {fit._powers()}, predicted {tested}{note}"

    __repr__ = __str__

    def _fitted(self) -> list[tuple[Interval, Fraction]]:
        pairs = (
            (self.measured.width, self.predicted.width),
            (self.measured.depth, self.predicted.depth),
        )
        return [(e, p) for e, p in pairs if e is not None]

    def _judge(self, exponent: Interval, predicted: float) -> str:
        low, high = predicted - self.tolerance, predicted + self.tolerance
        if low <= exponent.low and exponent.high <= high:
            return "agrees"
        return "disagrees" if exponent.high < low or high < exponent.low else "cannot tell"
