"""The optimum of a learning-rate curve, and how much of it the grid can tell.

Learning rates are logarithms to base 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf, isnan, nan
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Optimum:
    """The minimum of one learning-rate curve.

    ``low`` and ``high`` bound what the curve can tell: both are the estimate where a quadratic
    found it; they are the neighbouring rates where a diverged neighbour, or two on the minimum's
    level, leave no quadratic to draw; and one is infinite where it sits on the edge of the grid.

    Attributes:
        log2_lr: The optimum's base-2 logarithm; nan if every rate diverged.
        loss: The lowest loss (of the quadratic, where there is one); inf if every rate diverged.
        low: Lower bound of ``log2_lr``.
        high: Upper bound of ``log2_lr``.
        edge: ``"low"`` or ``"high"`` if the minimum sits on that edge of the grid, else None.
    """

    log2_lr: float
    loss: float
    low: float
    high: float
    edge: Literal["low", "high"] | None = None

    @property
    def diverged(self) -> bool:
        """Whether every rate of the curve diverged, so that there is no optimum."""
        return isnan(self.log2_lr)

    @property
    def bracketed(self) -> bool:
        """Whether only two neighbours bound it: one of them diverged, or the curve is flat."""
        return self.edge is None and not self.diverged and self.low < self.high

    def __str__(self) -> str:
        """Text that says how much the estimate is worth."""
        if self.diverged:
            return "no optimum: every learning rate diverged"
        if self.edge == "low":
            return f"at most {self.high:g}: the minimum sits on the low edge of the grid, extend it"
        if self.edge == "high":
            return (
                f"at least {self.low:g}: the minimum sits on the high edge of the grid, extend it"
            )
        if self.bracketed:
            return f"{self.log2_lr:.2f} (between {self.low:g} and {self.high:g})"
        return f"{self.log2_lr:.2f}"


def optimum(log2_lr: ArrayLike, loss: ArrayLike) -> Optimum:
    """The optimum of a curve: a quadratic in log2 lr through the minimum and its two neighbours.

    The rates need not be in order or evenly spaced. ``inf`` marks a diverged run.

    Args:
        log2_lr: At least three different learning rates, as base-2 logarithms.
        loss: The loss at each.

    Raises:
        ValueError: If lengths differ, a rate is repeated or not finite, a loss is nan or -inf, or
            there are fewer than three rates.
    """
    x, y = np.asarray(log2_lr, dtype=float), np.asarray(loss, dtype=float)
    _check_curve(x, y)
    order = np.argsort(x)
    x, y = x[order], y[order]
    if np.isinf(y).all():
        return Optimum(nan, inf, -inf, inf)
    lowest = np.flatnonzero(y == y.min())
    i = int(lowest[np.argmin(np.abs(lowest - (x.size - 1) / 2))])  # of a tie, the most central
    if i == 0:
        return Optimum(float(x[0]), float(y[0]), -inf, float(x[1]), "low")
    if i == x.size - 1:
        return Optimum(float(x[i]), float(y[i]), float(x[i - 1]), inf, "high")
    left, right = (y[i - 1] - y[i], x[i - 1] - x[i]), (y[i + 1] - y[i], x[i + 1] - x[i])
    if isinf(left[0] + right[0]) or left[0] == right[0] == 0:
        return Optimum(float(x[i]), float(y[i]), float(x[i - 1]), float(x[i + 1]))
    shift, gain = _vertex(left, right)
    at = float(x[i] + shift)
    return Optimum(at, float(y[i] - gain), at, at)


def _check_curve(x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"log2_lr has shape {x.shape} and loss {y.shape}: give two lists of equal length"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"every log2_lr must be finite, got {x.tolist()}")
    if np.unique(x).size < x.size:
        raise ValueError(
            f"a learning rate is repeated in {x.tolist()}: give the curve of one seed, or means"
        )
    if np.isnan(y).any() or (y == -inf).any():
        raise ValueError(f"a loss must be a number or inf (diverged), got {y.tolist()}")
    if x.size < 3:
        raise ValueError(f"an optimum needs at least three learning rates, got {x.size}")


def _vertex(left: tuple[float, float], right: tuple[float, float]) -> tuple[float, float]:
    """Vertex of the quadratic through the origin and two points (rise, offset) around it.

    Returns its offset and how far it lies below the origin.
    """
    slope_left, slope_right = left[0] / left[1], right[0] / right[1]  # ≤ 0 ≤
    curvature = (slope_right - slope_left) / (right[1] - left[1])
    gradient = slope_left - curvature * left[1]  # of the quadratic, at the origin
    shift = -gradient / (2 * curvature)
    return shift, -gradient * shift / 2
