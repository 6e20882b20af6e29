"""Regret against a rate that other seeds chose: without bias, and with the level it says."""

from itertools import permutations
from math import inf, isinf, isnan

import numpy as np
import pandas as pd
import pytest

from specmup.analysis.curve import tuned_rate
from specmup.analysis.interval import Interval, mean_interval
from specmup.analysis.regret import (
    held_out,
    held_out_factor,
    held_out_interval,
    regret,
    seed_regrets,
)

CARRIED = -6.0
RATES = [-8.0, -7.0, CARRIED, -5.0, -4.0]
CASES = 500


def curves(losses) -> pd.DataFrame:
    """A table of (seeds, rates)."""
    losses = np.asarray(losses, dtype=float)
    return pd.DataFrame(losses, index=range(len(losses)), columns=RATES[: losses.shape[1]])


def naive_regret(table: pd.DataFrame, carried: float) -> Interval:
    return mean_interval(table[carried] - table[tuned_rate(table)])


def noisy(seeds: int, true=(0.0,) * 5) -> list[pd.DataFrame]:
    """Curves with these true losses, and noise."""
    random = np.random.default_rng(seeds)
    losses = random.normal(size=(CASES, seeds, len(RATES)))
    losses += 3 * random.normal(size=(CASES, seeds, 1))  # what a seed does at every rate
    return [curves(one + np.array(true)) for one in losses]


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_under_a_flat_curve_it_is_told_from_zero_as_seldom_as_it_should(seeds):
    flat = noisy(seeds)
    found = [regret(table, CARRIED) for table in flat]
    # At most 2.5 % on each side, and three standard deviations of luck, 2 %.
    assert 0.001 < np.mean([one.low > 0 for one in found]) < 0.05
    assert np.mean([one.high < 0 for one in found]) < 0.05
    errors = np.array([one.estimate for one in found])
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(CASES)
    # Chosen and judged on the same seeds, both would fail; and Student's interval of the same mean.
    biased = [naive_regret(table, CARRIED) for table in flat]
    assert np.mean([one.low > 0 for one in biased]) > 0.05
    assert np.mean([one.estimate for one in biased]) > 0.4
    student = [mean_interval(seed_regrets(table, CARRIED)) for table in flat]
    assert np.mean([one.low > 0 for one in student]) > 0.03


def told(tables: list[pd.DataFrame], interval) -> float:
    """How often an interval of the seeds' regrets excludes zero."""
    return np.mean([0 not in interval(seed_regrets(table, CARRIED)) for table in tables])


@pytest.mark.parametrize(
    ("seeds", "students"), [(3, (0.03, 0.07)), (5, (0.05, 0.1)), (10, (0.11, 0.19)), (40, (0.2, 1))]
)
def test_so_seldom_with_any_number_of_seeds_and_students_interval_ever_more_often(seeds, students):
    flat = noisy(seeds)
    assert told(flat, held_out_interval) < 0.05
    assert students[0] < told(flat, mean_interval) < students[1]


@pytest.mark.parametrize("true", [(4, 1, 0, 1, 4), (9, 4, 1, 0, 1), (0.5, 0.1, 0, 0.1, 0.5)])
def test_under_a_bent_curve_it_is_not_too_large(true):
    cost = true[RATES.index(CARRIED)]
    found = [regret(table, CARRIED) for table in noisy(5, true)]
    assert np.mean([one.estimate for one in found]) < cost + 0.05
    assert np.mean([one.low > cost for one in found]) < 0.05


def test_its_mean_is_what_tuning_on_one_seed_fewer_would_gain():
    true = np.array([9.0, 4.0, 1.0, 0.0, 1.0])
    found = [regret(table, CARRIED).estimate for table in noisy(5, true)]
    chosen = [true[RATES.index(tuned_rate(table))] for table in noisy(4, true)]
    gained = true[RATES.index(CARRIED)] - np.mean(chosen)
    assert np.mean(found) == pytest.approx(gained, abs=0.06)


def test_a_cost_is_told():
    found = [regret(table, CARRIED) for table in noisy(5, (0, 0, 6, 0, 0))[:200]]
    assert np.mean([one.low > 0 for one in found]) > 0.9


def test_the_seed_that_is_read_does_not_choose():
    table = curves([[3.0, 0.0, 1.0], [0.0, 3.0, 5.0], [2.0, 3.0, 7.0]])
    # Seeds 1 and 2 choose −8 for seed 0, though −7 is its own; 0 and 2 choose −7 for seed 1, and 0
    # and 1 tie, for seed 2, in favour of the lower.
    assert seed_regrets(table, CARRIED).tolist() == [1 - 3, 5 - 3, 7 - 2]
    assert regret(table, CARRIED).estimate == pytest.approx(5 / 3)


def test_a_loss_is_no_part_of_the_sum_that_chooses_for_its_seed():
    # Neither as what rounding leaves of a huge one, nor as the last bit that settles a tie.
    assert held_out(curves([[1.0, 1e30], [0.4, 0.5]])).tolist() == [1.0, 0.4]
    tie = np.array([[0.9, 0.8, 0.7], [0.1, 0.3, 0.3], [0.2, 0.3, 0.3], [0.3, 0.0, 0.0]])
    for order in permutations(range(4)):
        assert held_out(curves(tie[list(order)]))[order.index(0)] == 0.9  # 0.1 + 0.2 + 0.3 = 0.6


def test_the_best_rate_whichever_seed_is_left_out_costs_nothing_exactly():
    table = curves([[3.0, 2.0, 1.0], [4.0, 5.0, 2.0], [9.0, 8.0, 0.0]])
    assert str(regret(table, CARRIED)) == "0 exactly"


def test_rates_that_lose_a_seed():
    assert regret(curves([[0, 1, 2], [inf, 1, 2]]), CARRIED).estimate == 1
    assert regret(curves([[0, 1, 2], [0, 1, inf]]), CARRIED) == Interval(inf, inf, inf)
    assert isnan(regret(curves([[inf] * 3, [0, 1, 2]]), CARRIED).estimate)


def test_one_seed_has_the_plain_difference_without_an_interval():
    found = regret(curves([[0.0, 1.0, 2.0]]), CARRIED)
    assert found.estimate == 2
    assert isinf(found.half_width)
    assert regret(curves([[0.0, 1.0, inf]]), CARRIED) == Interval(inf, inf, inf)


def test_a_rate_that_was_not_run_is_refused():
    with pytest.raises(ValueError, match="log2 lr = -3 was not run"):
        regret(curves([[0, 1, 2], [0, 1, 2]]), -3.0)


def test_the_interval_is_wider_than_students_by_the_share_of_the_choosing_seeds():
    values = [1.0, 2.0, 4.0, 5.0]
    assert held_out_interval(values).estimate == 3
    wider = held_out_interval(values).half_width / mean_interval(values).half_width
    assert wider == pytest.approx(np.sqrt((1 / 4 + 1 / 3) / (1 / 4)))
    assert held_out_factor(10) == np.sqrt((1 / 10 + 1 / 9) / (1 / 10))
    assert held_out_factor(40) == pytest.approx(np.sqrt((1 / 40 + 1 / 9) / (1 / 40)))
