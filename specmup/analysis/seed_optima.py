"""The seeds' own best rates: one of each curve, and what is linear in them, over the seeds.

Learning rates are logarithms to base 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from specmup.analysis.interval import Interval, mean_interval
from specmup.analysis.optimum import Optimum, optimum


def seed_optima(curves: pd.DataFrame) -> list[Optimum]:
    """The optimum of each seed's curve, in the order of the rows.

    Args:
        curves: As :func:`specmup.analysis.curve.seed_curves` gives them.
    """
    return [optimum(curves.columns, losses) for losses in curves.to_numpy()]


def contrast(weights: ArrayLike, optima: Sequence[Sequence[Optimum]]) -> Interval:
    """Mean over seeds of Σ_j weights[j]·optimum[j], with what the bounds leave open.

    Args:
        weights: One a network, such as (−1, 1) for how far an optimum moves between two.
        optima: For each network the seeds' optima, in one order of seeds; none of them diverged.

    Returns:
        The mean with its 95 % interval, Student's t over seeds; nan if there is no seed.

    Raises:
        ValueError: If networks differ in the number of their seeds, or from the weights in theirs.
    """
    estimates, lows, highs = [], [], []
    for of_seed in zip(*optima, strict=True):
        # An axis with weight zero must not turn an infinite bound into nan.
        terms = [(w, o) for w, o in zip(np.asarray(weights), of_seed, strict=True) if w != 0]
        estimates.append(sum(w * o.log2_lr for w, o in terms))
        lows.append(sum(w * (o.low if w > 0 else o.high) for w, o in terms))
        highs.append(sum(w * (o.high if w > 0 else o.low) for w, o in terms))
    if not estimates:
        return Interval(nan, nan, nan)
    spread = mean_interval(estimates)
    low = float(np.mean(lows)) - (spread.estimate - spread.low)
    high = float(np.mean(highs)) + (spread.high - spread.estimate)
    return Interval(spread.estimate, low, high)
