"""Many comparisons at once: which of them still count when all are made together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import isfinite, isnan, sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from specmup.analysis.interval import LEVEL, Interval
from specmup.analysis.regret import held_out_factor

Key = TypeVar("Key", bound=Hashable)


def holm(differences: Mapping[Key, ArrayLike], *, held_out: bool = False) -> list[Key]:
    """The comparisons whose difference stays told from zero when all are tested together.

    Each is tested by Student's t over its seeds, two-sided. Of m comparisons the one with the
    smallest p counts if p ≤ 0.05/m, the next if p ≤ 0.05/(m − 1), and so on; from the first that
    fails on, none counts. So all that count are right together but for a chance of 5 %, whatever
    depends on what (Holm 1979).

    Args:
        differences: By comparison, the differences seed by seed. One with a single seed, with a
            value that is not finite, or of zeros alone has no test and never counts.
        held_out: Whether each value rests on a choice that the other seeds made, as those of
            :func:`specmup.analysis.regret.seed_regrets` do.

    Returns:
        Those that count, the surest first.
    """
    return surviving({key: p_value(gaps, held_out=held_out) for key, gaps in differences.items()})


def holm_of_intervals(intervals: Mapping[Key, Interval], seeds: int) -> list[Key]:
    """The same of 95 % intervals by Student's t over so many seeds, see :func:`interval_p`."""
    return surviving({key: interval_p(found, seeds) for key, found in intervals.items()})


def surviving(p_values: Mapping[Key, float]) -> list[Key]:
    """The keys whose p stays small enough when all are tested together, the surest first.

    A p of nan is that of a comparison without a test, as 1 is: it never counts, and is one of all.
    """
    found: list[Key] = []
    p_values = {key: 1.0 if isnan(p) else p for key, p in p_values.items()}
    for rank, key in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        if p_values[key] > (1 - LEVEL) / (len(p_values) - rank):
            break
        found.append(key)
    return found


def p_value(differences: ArrayLike, *, held_out: bool = False) -> float:
    """Student's two-sided p for a mean of zero; 1 where there is no test, see :func:`holm`."""
    x = np.asarray(differences, dtype=float)
    if x.size < 2 or not np.isfinite(x).all() or not x.any():
        return 1.0
    error = float(x.std(ddof=1)) / sqrt(x.size) * (held_out_factor(x.size) if held_out else 1)
    if error == 0:
        return 0.0  # all seeds agree on a difference
    return float(2 * stdtr(x.size - 1, -abs(float(x.mean())) / error))


def interval_p(found: Interval, seeds: int) -> float:
    """Student's two-sided p for zero, of a 95 % interval over so many seeds; 1 if it has none.

    What opens an interval, as the edge of a grid does an optimum's, counts as its spread: the end
    on the side of zero tells.
    """
    to_zero = abs(found.estimate - (found.low if found.estimate > 0 else found.high))
    if seeds < 2 or not isfinite(found.estimate) or not found.estimate or isnan(to_zero):
        return 1.0
    if not to_zero:
        return 0.0
    t = abs(found.estimate) / to_zero * float(stdtrit(seeds - 1, (1 + LEVEL) / 2))
    return float(2 * stdtr(seeds - 1, -t))
