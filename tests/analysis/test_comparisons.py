"""Of many comparisons made together, those that Holm's correction leaves."""

from math import inf, nan

import numpy as np
import pytest
from scipy import stats

from specmup.analysis.comparisons import holm, holm_of_intervals, interval_p, p_value, surviving
from specmup.analysis.interval import Interval, mean_interval
from specmup.analysis.regret import held_out_interval


def test_p_agrees_with_scipy():
    gaps = np.random.default_rng(0).normal(0.5, size=6)
    assert p_value(gaps) == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue)


@pytest.mark.parametrize("gaps", [[0.0, 0.0, 0.0], [3.0], [1.0, inf, 1.0], [1.0, nan, 1.0], []])
def test_what_has_no_test_never_counts(gaps):
    assert p_value(gaps) == 1
    assert holm({"a": gaps}) == []


def test_a_p_of_nan_never_counts_and_stands_in_no_others_way():
    assert surviving({"a": nan}) == []
    assert surviving({"a": nan, "b": 0.02}) == ["b"]
    assert surviving({"b": 0.04, "a": nan}) == []  # of two comparisons
    assert holm_of_intervals({"a": Interval(1.0, nan, nan)}, 3) == []


def test_equal_differences_count():
    assert holm({"a": [2.0, 2.0, 2.0]}) == ["a"]


def gaps_of(p: float) -> np.ndarray:
    """Three differences whose two-sided p is this one."""
    t = stats.t.isf(p / 2, 2)
    return np.array([-1.0, 0.0, 1.0]) + t / np.sqrt(3)


@pytest.mark.parametrize(
    ("p_values", "counts"),
    [
        ([0.04], "a"),  # alone it counts
        ([0.04, 0.6], ""),  # beside another not
        ([0.024, 0.04], "ab"),  # once the surer counts, the next is tested alone
        ([0.026, 0.026, 0.026], ""),
        ([0.03, 0.016, 0.024], "bca"),  # surest first
        ([0.001, 0.03, 0.04], "a"),  # b fails, so c has no chance
    ],
)
def test_the_thresholds_go_down_by_rank(p_values, counts):
    assert holm(dict(zip("abc", map(gaps_of, p_values), strict=False))) == list(counts)


def test_together_they_are_wrong_in_one_case_of_twenty():
    random = np.random.default_rng(1)
    wrong = [bool(holm(dict(enumerate(random.normal(size=(8, 5)))))) for _ in range(2000)]
    assert 0.03 < np.mean(wrong) < 0.07


def test_held_out_values_are_tested_as_their_interval_is_judged():
    random = np.random.default_rng(2)
    for gaps in random.normal(1.0, size=(200, 4)):
        assert bool(holm({"a": gaps}, held_out=True)) == (0 not in held_out_interval(gaps))


def test_an_interval_has_the_p_of_the_seeds_that_it_comes_of():
    gaps = {name: np.random.default_rng(seed).normal(2, 1, 4) for seed, name in enumerate("abcd")}
    intervals = {name: mean_interval(own) for name, own in gaps.items()}
    for name, own in gaps.items():
        assert interval_p(intervals[name], 4) == pytest.approx(p_value(own))
    assert holm_of_intervals(intervals, 4) == holm(gaps) != []


@pytest.mark.parametrize(
    ("found", "p"),
    [
        (Interval(1.0, -inf, 1.5), 1),  # open towards zero
        (Interval(1.0, 1.0, inf), 0),  # open away from it
        (Interval(0.0, -1.0, 1.0), 1),
        (Interval(0.0, 0.0, 0.0), 1),
        (Interval(inf, inf, inf), 1),
        (Interval(1.0, nan, nan), 1),
        (Interval(nan, nan, nan), 1),
        (Interval(1.0, 0.0, 2.0), 0.05),  # ends at zero
        (Interval(-1.0, -9.0, 0.0), 0.05),
    ],
)
def test_the_end_towards_zero_tells(found, p):
    assert interval_p(found, 3) == pytest.approx(p)


def test_one_seed_has_no_test():
    assert interval_p(Interval(1.0, 1.0, 1.0), 1) == 1
