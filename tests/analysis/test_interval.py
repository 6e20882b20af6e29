from math import inf, nan

import numpy as np
import pytest
from scipy import stats

from specmup.analysis.interval import Interval, mean_interval, student_t


@pytest.mark.parametrize("degrees", [1, 2, 4, 30])
def test_student_t_is_the_quantile_of_the_distribution(degrees):
    assert student_t(degrees) == pytest.approx(stats.t.ppf(0.975, degrees))


def test_no_degree_of_freedom_gives_no_interval():
    assert student_t(0) == inf
    assert mean_interval([3.0]) == Interval(3.0, -inf, inf)


def test_mean_interval_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=7)
    low, high = stats.t.interval(0.95, 6, loc=values.mean(), scale=stats.sem(values))
    found = mean_interval(values)
    assert (found.estimate, found.low, found.high) == pytest.approx((values.mean(), low, high))


def test_mean_with_a_diverged_seed_is_infinite():
    assert mean_interval([1.0, inf, 2.0]) == Interval(inf, inf, inf)


@pytest.mark.parametrize("values", [[], [1.0, nan]])
def test_mean_of_nothing_or_nan_is_an_error(values):
    with pytest.raises(ValueError, match="no nan"):
        mean_interval(values)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(-0.484, -0.534, -0.434), "-0.48 ± 0.05"),
        (Interval(-0.001, -0.002, 0.0), "0.00 ± 0.00"),
        (Interval(-6.2, -7.0, -5.5), "-6.20 (-7.00 to -5.50)"),
        (Interval(-6.2, -inf, -5.5), "-6.20 (at most -5.50)"),
        (Interval(-6.2, -7.0, inf), "-6.20 (at least -7.00)"),
        (Interval(-6.2, -inf, inf), "-6.20 (no interval)"),
        (Interval(inf, inf, inf), "inf"),
        (Interval(nan, nan, nan), "undefined"),
    ],
)
def test_text(interval, text):
    assert str(interval) == text


def test_format_takes_the_number_of_digits():
    assert f"{Interval(0.1234, 0.1134, 0.1334):.3f}" == "0.123 ± 0.010"


def test_membership_and_half_width():
    interval = Interval(1.0, 0.5, 1.5)
    assert 0.5 in interval
    assert 1.6 not in interval
    assert interval.half_width == 0.5
    assert Interval(inf, inf, inf).half_width == 0.0


def test_ends_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="swap"):
        Interval(0.0, 1.0, -1.0)
