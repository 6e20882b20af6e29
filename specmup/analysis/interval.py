"""Estimates with 95 % intervals, and how they are printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, inf, isfinite, isinf, isnan, sqrt
from typing import SupportsFloat

import numpy as np
import pandas as pd
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

    @classmethod
    def around(cls, estimate: float, half_width: float) -> Interval:
        """The interval that reaches as far below its estimate as above it."""
        return cls(estimate, estimate - half_width, estimate + half_width)

    def through(self, function: Callable[[float], float]) -> Interval:
        """The interval of a monotone function of the quantity: a shift, a scale, an exponential."""
        low, high = sorted((float(function(self.low)), float(function(self.high))))
        return Interval(float(function(self.estimate)), low, high)

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return 0.0 if self.low == self.high else (self.high - self.low) / 2

    def __contains__(self, value: float) -> bool:
        """Whether the interval covers ``value``."""
        return self.low <= value <= self.high

    def __format__(self, spec: str) -> str:
        """The interval as text; ``spec`` formats each number and is ``.2f`` unless given.

        ``0.00 ± 0.00`` would say that nothing is known, or that all is. What does not vary is said
        to be exact, as ``0 exactly``, and what varies by less than the last digit, as
        ``0.37 ± <0.01``.
        """
        spec = spec or ".2f"
        estimate, low, high = (_number(x, spec) for x in (self.estimate, self.low, self.high))
        if isnan(self.estimate):
            return "undefined"
        if isinf(self.estimate):
            return estimate
        if self.low == self.high:
            return f"{estimate if self.estimate else '0'} exactly"
        if isfinite(self.low) and isfinite(self.high):
            if step := _last_digit(self.half_width, spec):
                return f"{estimate} ± <{step}"
            if np.isclose(self.high - self.estimate, self.estimate - self.low):
                return f"{estimate} ± {_number(self.half_width, spec)}"
            return f"{estimate} ({low} to {high})"
        if isinf(self.low) and isinf(self.high):
            return f"{estimate} (no interval)"
        return f"{estimate} (at most {high})" if isinf(self.low) else f"{estimate} (at least {low})"

    def __str__(self) -> str:
        """Text such as ``-0.48 ± 0.05``."""
        return format(self)

    __repr__ = __str__


def difference(first: Interval, second: Interval | SupportsFloat) -> Interval:
    """First minus second: a number, or an interval measured independently, on seeds of its own.

    The parts of the interval add as squares. With Student's intervals over few seeds that is no
    narrower than Welch's, which would need the numbers of seeds. What is infinitely far apart is
    so at both ends; two infinities of one sign are apart by nan.
    """
    if not isinstance(second, Interval):
        second = Interval.around(float(second), 0.0)
    apart = first.estimate - second.estimate
    if not isfinite(apart):
        return Interval(apart, apart, apart)
    below = hypot(first.estimate - first.low, second.high - second.estimate)
    above = hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(apart, apart - below, apart + above)


def paired_difference(first: pd.Series, second: pd.Series) -> Interval:
    """First minus second, seed by seed: narrower where what a seed does is common to both.

    Args:
        first: Values by seed, the index.
        second: Of the same seeds, in any order.

    Raises:
        ValueError: If the seeds differ or one is repeated; further as :func:`mean_interval`.
    """
    if first.index.has_duplicates or set(first.index) != set(second.index):
        raise ValueError(
            f"seeds {first.index.tolist()} and {second.index.tolist()} do not pair: "
            "give one value for each of the same seeds, or use difference() for independent ones"
        )
    return mean_interval(first - second.reindex(first.index))


def student_t(degrees_of_freedom: int) -> float:
    """Half-width of the 95 % interval in standard errors; infinite without a degree of freedom."""
    if degrees_of_freedom < 1:
        return inf
    return float(stdtrit(degrees_of_freedom, (1 + LEVEL) / 2))


def mean_interval(values: ArrayLike) -> Interval:
    """Mean over independent seeds with its Student t interval.

    One value has no interval (its ends are infinite). A diverged seed (``inf``) makes the mean
    infinite, and then the ends are infinite with it; so does ``-inf``, and of both the mean is nan.

    Raises:
        ValueError: If there is no value or one of them is nan.
    """
    x = np.asarray(values, dtype=float)
    if x.size == 0 or np.isnan(x).any():
        raise ValueError(f"a mean needs at least one value and no nan, got {x.tolist()}")
    if infinite := set(x[np.isinf(x)].tolist()):
        mean = sum(infinite)
        return Interval(mean, mean, mean)
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, -inf, inf)
    half = student_t(x.size - 1) * float(x.std(ddof=1)) / sqrt(x.size)
    return Interval.around(mean, half)


def _last_digit(half_width: float, spec: str) -> str:
    """One in the last digit that a spec prints, where it would print the half-width as zero."""
    digits = re.fullmatch(r".*?(?:\.(\d+))?[fF%]", spec)
    if not digits or float(_number(half_width, spec).rstrip("%")) != 0:
        return ""
    places = 6 if digits[1] is None else int(digits[1])
    return f"{10**-places:.{places}f}" + "%" * spec.endswith("%")


def _number(value: float, spec: str) -> str:
    return format(value, f"z{spec}")  # z: a rounded -0.00 is printed as 0.00
