"""Regret against a rate that other seeds chose: without bias, and with the level it says."""

from math import inf, isnan

import numpy as np
import pandas as pd
import pytest

from specmup.analysis.curve import tuned_rate
from specmup.analysis.interval import Interval, mean_interval
from specmup.analysis.regret import split_regret

CARRIED = -6.0
RATES = [-8.0, -7.0, CARRIED, -5.0, -4.0]
CASES = 2000


def curves(losses) -> pd.DataFrame:
    """A table of (seeds, rates)."""
    losses = np.asarray(losses, dtype=float)
    return pd.DataFrame(losses, index=range(len(losses)), columns=RATES[: losses.shape[1]])


def naive_regret(table: pd.DataFrame, carried: float) -> Interval:
    return mean_interval(table[carried] - table[tuned_rate(table)])


def noisy(seeds: int, cost: float = 0.0) -> list[pd.DataFrame]:
    """Curves that are flat but for noise and, at the carried rate, a cost."""
    random = np.random.default_rng(seeds)
    losses = random.normal(size=(CASES, seeds, len(RATES)))
    losses += 3 * random.normal(size=(CASES, seeds, 1))  # what a seed does at every rate
    losses[:, :, RATES.index(CARRIED)] += cost
    return [curves(one) for one in losses]


def test_under_a_flat_curve_it_is_told_from_zero_as_seldom_as_it_should():
    flat = noisy(seeds=5)
    found = [split_regret(table, CARRIED) for table in flat]
    # 2.5 %, of which a standard deviation of 0.35 % may be luck; a choice that is right costs 0.
    assert 0.01 < np.mean([one.low > 0 for one in found]) < 0.037
    assert 0.01 < np.mean([one.high < 0 for one in found]) < 0.037
    errors = np.array([one.estimate for one in found])
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(CASES)
    # Chosen and judged on the same seeds, both would fail.
    biased = [naive_regret(table, CARRIED) for table in flat]
    assert np.mean([one.low > 0 for one in biased]) > 0.05
    assert np.mean([one.estimate for one in biased]) > 0.4


def test_a_cost_is_told():
    found = [split_regret(table, CARRIED) for table in noisy(6, cost=6.0)[:200]]
    assert np.mean([one.low > 0 for one in found]) > 0.9


def test_the_half_that_chooses_does_not_judge():
    table = curves([[3.0, 0.0, 1.0], [0.0, 3.0, 5.0], [0.0, 3.0, 7.0]])
    # Seed 0 chooses −7; seeds 1 and 2 judge that rate, though −8 is theirs.
    assert split_regret(table, CARRIED).estimate == pytest.approx(((5 - 3) + (7 - 3)) / 2)


def test_rates_that_lose_a_seed():
    assert split_regret(curves([[0, 1, 2], [inf, 1, 2]]), CARRIED).estimate == 1
    assert split_regret(curves([[0, 1, 2], [0, 1, inf]]), CARRIED) == Interval(inf, inf, inf)
    assert isnan(split_regret(curves([[inf] * 3, [0, 1, 2]]), CARRIED).estimate)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="1 seed: one chooses and another judges"):
        split_regret(curves([[0, 1, 2]]), CARRIED)
    with pytest.raises(ValueError, match="log2 lr = -3 was not run"):
        split_regret(curves([[0, 1, 2], [0, 1, 2]]), -3.0)
