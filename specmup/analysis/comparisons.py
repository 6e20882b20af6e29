"""Many comparisons at once: which of them still count when all are made together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from specmup.analysis.interval import LEVEL
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
    p_values = {key: p_value(gaps, held_out=held_out) for key, gaps in differences.items()}
    found: list[Key] = []
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
