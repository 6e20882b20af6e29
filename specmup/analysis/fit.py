"""Measured exponents: how a size grows with width and depth, and whether a theory's order fits.

A size that scales as C·n^a·L^b is a plane in logarithms, so a and b are found by least squares of
log size on log n and log L.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import exp
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from specmup.analysis.interval import Interval, student_t
from specmup.theory.order import Order

FEWEST_SIZES = 3


@dataclass(frozen=True, repr=False)
class Exponents:
    """The fit size ≈ constant·n^width·L^depth, each exponent with its 95 % interval.

    Attributes:
        width: Exponent of n, or None where the width did not vary.
        depth: Exponent of L, or None where the depth did not vary or was not given.
        constant: The prefactor, including whatever an axis that was not fitted contributes.
        widths: The distinct widths measured.
        depths: The distinct depths measured; empty if none were given.
        measurements: How many measurements were fitted.
    """

    width: Interval | None
    depth: Interval | None
    constant: float
    widths: tuple[float, ...]
    depths: tuple[float, ...]
    measurements: int

    def evaluate(self, width: float = 1.0, depth: float = 1.0) -> float:
        """The fitted size at one width and depth; an axis that was not fitted is ignored."""
        a, b = (e.estimate if e is not None else 0.0 for e in (self.width, self.depth))
        return self.constant * width**a * depth**b

    def verdict(self, predicted: Order, tolerance: float = 0.1) -> Verdict:
        """Hold the fit against an exact order; see :class:`Verdict`.

        Args:
            predicted: The theory's order of the size.
            tolerance: How far an exponent measured at finite size may lie from its limit.

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


def fit_exponents(size: ArrayLike, width: ArrayLike, depth: ArrayLike | None = None) -> Exponents:
    """Fit size ≈ C·n^a·L^b by least squares in logarithms, with 95 % intervals.

    Seeds are replicates: the log sizes measured at one (n, L) are averaged first, and the fit and
    its interval come from these means, one point a size. What is left over from the fit then holds
    the noise of the means and any systematic curvature alike, so more seeds narrow the interval
    only as far as the points really lie on a plane. The interval is Student's t with (number of
    sizes − number of coefficients) degrees of freedom. It speaks of the exponent over the measured
    range: where the curve bends, that is an average slope, not its limit.

    Args:
        size: The measured sizes, one entry a measurement; several seeds are several entries.
        width: The width n of each measurement, or one number for all.
        depth: The depth L likewise; None if there is none to speak of.

    Raises:
        ValueError: If lengths differ, a number is not positive and finite, neither axis varies, an
            axis that varies has fewer than three sizes, or the exponents cannot be told apart.
    """
    sizes = _positive("size", size)
    widths = _positive("width", width, sizes.size)
    depths = None if depth is None else _positive("depth", depth, sizes.size)
    axes = {"width": widths} if depths is None else {"width": widths, "depth": depths}
    varying = [name for name, values in axes.items() if _varies(name, values)]
    if not varying:
        raise ValueError(f"{' and '.join(axes)} must vary for an exponent to be fitted: add sizes")

    points = np.column_stack([np.log(axes[name]) for name in varying])
    points, group = np.unique(points, axis=0, return_inverse=True)
    means = np.bincount(group.ravel(), np.log(sizes)) / np.bincount(group.ravel())
    slopes, errors, intercept = _least_squares(points, means)
    fitted = {
        name: Interval(float(s), float(s - e), float(s + e))
        for name, s, e in zip(varying, slopes, errors, strict=True)
    }
    return Exponents(
        width=fitted.get("width"),
        depth=fitted.get("depth"),
        constant=exp(intercept),
        widths=tuple(np.unique(widths).tolist()),
        depths=() if depths is None else tuple(np.unique(depths).tolist()),
        measurements=sizes.size,
    )


def _positive(name: str, values: ArrayLike, length: int | None = None) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if length is not None and array.ndim == 0:
        array = np.full(length, float(array))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty list of numbers, got shape {array.shape}")
    if length is not None and array.size != length:
        raise ValueError(
            f"{name} has {array.size} entries and size has {length}: give one for each measurement"
        )
    bad = array[~(np.isfinite(array) & (array > 0))]
    if bad.size:
        raise ValueError(
            f"{name} holds {bad[0]}, which has no logarithm to fit: "
            "take out diverged and vanished runs, and say that you did"
        )
    return array


def _varies(name: str, values: np.ndarray) -> bool:
    distinct = np.unique(values)
    if 1 < distinct.size < FEWEST_SIZES:
        raise ValueError(
            f"{name} takes only the values {distinct.tolist()}: "
            f"an exponent with an interval needs at least {FEWEST_SIZES}"
        )
    return distinct.size > 1


def _least_squares(points: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes, half-widths of their intervals, and intercept; points (G, axes), values (G,)."""
    count, axes = points.shape
    centre, mean = points.mean(axis=0), values.mean()
    X, y = points - centre, values - mean
    if np.linalg.matrix_rank(X, tol=1e-9) < axes:
        raise ValueError(
            "width and depth grow together here, so their exponents cannot be told apart: "
            "measure a grid, or fit one of them alone"
        )
    degrees = count - axes - 1
    if degrees < 1:
        raise ValueError(
            f"{count} different sizes leave nothing to judge {axes + 1} coefficients by: add sizes"
        )
    slopes = np.linalg.lstsq(X, y, rcond=None)[0]
    variance = np.sum((y - X @ slopes) ** 2) / degrees
    standard_errors = np.sqrt(variance * np.diag(np.linalg.inv(X.T @ X)))
    return slopes, student_t(degrees) * standard_errors, float(mean - centre @ slopes)
