from fractions import Fraction
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from specmup.analysis.interval import (
    Interval,
    difference,
    mean_interval,
    paired_difference,
    student_t,
)


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
    assert mean_interval([1.0, -inf, -inf]) == Interval(-inf, -inf, -inf)
    assert str(mean_interval([inf, 0.0, -inf])) == "undefined"


def test_a_function_of_an_interval_takes_its_ends_along_whichever_way_it_goes():
    found = Interval(2.0, 1.0, 4.0)
    for function in (lambda x: x - 3, lambda x: -2 * x, lambda x: 1 / x, np.exp):
        through = found.through(function)
        assert through.estimate == function(2.0)
        assert {through.low, through.high} == {function(1.0), function(4.0)}


def test_the_difference_from_a_number_is_a_shift():
    found = Interval(2.0, 1.0, 4.0)
    assert difference(found, Fraction(1, 2)) == found.through(lambda x: x - 0.5)


@pytest.mark.parametrize("values", [[], [1.0, nan]])
def test_mean_of_nothing_or_nan_is_an_error(values):
    with pytest.raises(ValueError, match="no nan"):
        mean_interval(values)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(-0.484, -0.534, -0.434), "-0.48 ± 0.05"),
        (Interval(-0.001, -0.002, 0.0), "0.00 ± <0.01"),
        (Interval(-0.001, -0.002, 0.002), "0.00 ± <0.01"),  # not symmetric, and as small
        (Interval(0.0, -0.006, 0.006), "0.00 ± 0.01"),
        (Interval(0.37, 0.37, 0.37), "0.37 exactly"),
        (Interval(0.0, 0.0, 0.0), "0 exactly"),
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


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (".0f", "0 ± <1"),
        (".3f", "0.004 ± <0.001"),
        (".1%", "0.4% ± <0.1%"),
        (".1g", "0.004 ± 0.0002"),
    ],
)
def test_no_half_width_is_printed_as_zero(spec, text):
    assert format(Interval(0.004, 0.0038, 0.0042), spec) == text


def test_independent_intervals_are_apart_at_least_as_far_as_welch_says():
    random = np.random.default_rng(0)
    for _ in range(300):
        first, second = (
            random.normal(size=random.integers(2, 9)) * random.uniform(0.1, 3) for _ in range(2)
        )
        found = difference(mean_interval(first), mean_interval(second))
        welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        assert found.estimate == pytest.approx(first.mean() - second.mean())
        assert found.low <= welch.low + 1e-9
        assert found.high >= welch.high - 1e-9


def test_an_open_end_stays_open_in_a_difference():
    low, high = Interval(1.0, -inf, 2.0), Interval(0.0, -1.0, 1.0)
    assert difference(low, high).low == -inf
    assert difference(high, low).high == inf
    assert difference(low, high).high == pytest.approx(1 + 2**0.5)


@pytest.mark.parametrize("other", [Interval(1.0, 0.5, 1.5), Interval(1.0, -inf, inf), 1.0])
def test_what_diverged_is_infinitely_worse(other):
    diverged = Interval(inf, inf, inf)
    assert difference(diverged, other) == diverged
    first = other if isinstance(other, Interval) else Interval(other, other, other)
    assert difference(first, diverged) == Interval(-inf, -inf, -inf)
    assert str(difference(diverged, inf)) == "undefined"


def test_paired_differences_keep_the_sign_of_what_diverged():
    trained, lost = pd.Series([1.0, 1.0]), pd.Series([inf, 1.0])
    assert paired_difference(lost, trained).low == inf
    assert paired_difference(trained, lost).high == -inf
    assert str(paired_difference(lost, lost[::-1].reset_index(drop=True))) == "undefined"


def test_paired_differences_go_seed_by_seed():
    first = pd.Series({0: 1.0, 1: 5.0, 2: 9.0})
    second = pd.Series({2: 8.0, 0: 0.0, 1: 4.0})
    assert paired_difference(first, second) == Interval(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"\[0, 1, 2\] and \[0, 1\] do not pair"):
        paired_difference(first, second.loc[[0, 1]])


def test_membership_and_half_width():
    interval = Interval(1.0, 0.5, 1.5)
    assert 0.5 in interval
    assert 1.6 not in interval
    assert interval.half_width == 0.5
    assert Interval(inf, inf, inf).half_width == 0.0


def test_ends_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="swap"):
        Interval(0.0, 1.0, -1.0)
