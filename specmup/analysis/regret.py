"""Regret without the bias of a minimum: the best rate is chosen on some seeds, judged on others.

The lowest of several noisy means is too low, by chance alone. A regret that is measured against it
on the same seeds is therefore never negative, and under a flat curve of 5 rates its interval
excludes zero in 6 to 7 % of cases instead of 2.5 %.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pandas as pd

from specmup.analysis.curve import tuned_rate
from specmup.analysis.interval import Interval, mean_interval


def split_regret(curves: pd.DataFrame, carried: float) -> Interval:
    """What a carried rate costs beside the best one, chosen on half of the seeds, judged on others.

    The best rate is that of the lowest mean loss over the first half of the seeds (the smaller, if
    their number is odd), among the rates that train every seed. What is measured on the other half
    does not know of the choice: under a flat curve its mean is zero, and its interval lies above
    zero in at most 2.5 % of cases. It may be negative. The price is a wider interval, and a best
    rate chosen less surely. Leaving out one seed at a time would lose less, and its mean is free of
    bias too; but its terms depend on one another, and its interval excludes zero twice as often as
    it says.

    Args:
        curves: As :func:`specmup.analysis.curve.seed_curves` gives them, at least two seeds.
        carried: log2 of the rate; tuned on another size, so that it knows nothing of these seeds.

    Returns:
        The mean over the judged seeds; ``inf`` if the carried rate loses a seed, undefined (nan) if
        every rate does.

    Raises:
        ValueError: If there is one seed, or the carried rate was not run.
    """
    if len(curves) < 2:
        raise ValueError(f"{len(curves)} seed: one chooses and another judges, so run two at least")
    if carried not in curves.columns:
        raise ValueError(f"log2 lr = {carried:g} was not run; there are {curves.columns.tolist()}")
    train = curves[[rate for rate in curves if np.isfinite(curves[rate]).all()]]
    if train.columns.empty:
        return Interval(nan, nan, nan)
    if carried not in train.columns:
        return Interval(inf, inf, inf)
    half = len(train) // 2
    best = tuned_rate(train.iloc[:half])
    judged = train.iloc[half:]
    return mean_interval(judged[carried] - judged[best])
