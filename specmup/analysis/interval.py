"""Estimates with 95 % intervals, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, isinf, isnan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

LEVEL = 0.95


@dataclass(frozen=True, repr=False)
class Interval:
    """An estimate and the ends of its 95 % interval.

    An end is infinite where the data bound the quantity on one side only, or on neither (a single
    seed has no spread to measure).

    Raises:
        ValueError: If the ends are in the wrong order.
    """

    estimate: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order of the ends."""
        if self.low > self.high:
            raise ValueError(f"the interval from {self.low} to {self.high} is empty: swap its ends")

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return 0.0 if self.low == self.high else (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        """Whether the interval covers ``value``."""
        return self.low <= value <= self.high

    def __format__(self, spec: str) -> str:
        """The interval as text; ``spec`` formats each number and is ``.2f`` unless given."""
        estimate, low, high = (
            _number(x, spec or ".2f") for x in (self.estimate, self.low, self.high)
        )
        if isnan(self.estimate):
            return "undefined"
        if isinf(self.estimate):
            return estimate
        if isfinite(self.low) and isfinite(self.high):
            if np.isclose(self.high - self.estimate, self.estimate - self.low):
                return f"{estimate} ± {_number(self.half_width, spec or '.2f')}"
            return f"{estimate} ({low} to {high})"
        if isinf(self.low) and isinf(self.high):
            return f"{estimate} (no interval)"
        return f"{estimate} (at most {high})" if isinf(self.low) else f"{estimate} (at least {low})"

    def __str__(self) -> str:
        """Text such as ``-0.48 ± 0.05``."""
        return format(self)

    __repr__ = __str__


def student_t(degrees_of_freedom: int) -> float:
    """Half-width of the 95 % interval in standard errors; infinite without a degree of freedom."""
    if degrees_of_freedom < 1:
        return inf
    return float(stdtrit(degrees_of_freedom, (1 + LEVEL) / 2))


def mean_interval(values: ArrayLike) -> Interval:
    """Mean over independent seeds with its Student t interval.

    One value has no interval (its ends are infinite). A diverged seed (``inf``) makes the mean
    infinite, and then the ends are infinite with it.

    Raises:
        ValueError: If there is no value or one of them is nan.
    """
    x = np.asarray(values, dtype=float)
    if x.size == 0 or np.isnan(x).any():
        raise ValueError(f"a mean needs at least one value and no nan, got {x.tolist()}")
    if np.isinf(x).any():
        return Interval(inf, inf, inf)
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, -inf, inf)
    half = student_t(x.size - 1) * float(x.std(ddof=1)) / sqrt(x.size)
    return Interval(mean, mean - half, mean + half)


def _number(value: float, spec: str) -> str:
    return format(value, f"z{spec}")  # z: a rounded -0.00 is printed as 0.00
