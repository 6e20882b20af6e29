from fractions import Fraction
from itertools import product
from math import inf, nan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from specmup.analysis.fit import Exponents, fit_exponents
from specmup.analysis.interval import Interval
from specmup.theory.order import Order

WIDTHS, DEPTHS = (64, 128, 256, 512), (4, 8, 16, 32, 64)
exponents = st.fractions(-3, 3, max_denominator=4)
constants = st.floats(1e-3, 1e3)


def grid(widths=WIDTHS, depths=DEPTHS):
    """Widths and depths of a full grid, one entry a point."""
    return np.array(list(product(widths, depths)), dtype=float).T


def planted(order, n, L, constant=1.0, noise=0.0, seed=0):
    n, L = np.broadcast_arrays(np.asarray(n, float), np.asarray(L, float))
    exact = np.array([constant * order.evaluate(*point) for point in zip(n, L, strict=True)])
    return exact * np.exp(noise * np.random.default_rng(seed).normal(size=exact.shape))


@given(a=exponents, b=exponents, constant=constants)
def test_planted_exponents_are_recovered(a, b, constant):
    n, L = grid()
    fit = fit_exponents(planted(Order(a, b), n, L, constant), n, L)
    assert fit.width.estimate == pytest.approx(float(a), abs=1e-9)
    assert fit.depth.estimate == pytest.approx(float(b), abs=1e-9)
    assert fit.constant == pytest.approx(constant, rel=1e-6)
    assert fit.evaluate(100, 10) == pytest.approx(
        constant * Order(a, b).evaluate(100, 10), rel=1e-6
    )
    assert fit.verdict(Order(a, b)).agrees


@given(a=exponents, off=st.floats(0.11, 2.0), sign=st.sampled_from([-1, 1]))
def test_the_verdict_disagrees_when_an_exponent_is_off(a, off, sign):
    n, L = grid()
    fit = fit_exponents(planted(Order(a, -1), n, L), n, L)
    wrong = Order(a + sign * Fraction(off), -1)
    assert fit.verdict(wrong, tolerance=0.1).disagrees


@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3))
def test_units_do_not_matter(seed, scale):
    n, L = grid()
    size = planted(Order(0, -1), n, L, noise=0.2, seed=seed)
    one, other = fit_exponents(size, n, L), fit_exponents(scale * size, n, L)
    assert one.depth.estimate == pytest.approx(other.depth.estimate, abs=1e-9)
    assert one.depth.half_width == pytest.approx(other.depth.half_width, rel=1e-6)


def test_intervals_cover_the_truth_about_95_percent_of_the_time():
    n, L = (np.tile(axis, 3) for axis in grid(depths=(4, 16, 64)))
    trials = 1500
    covered = np.zeros(2)
    for seed in range(trials):
        fit = fit_exponents(planted(Order(1, "-1/2"), n, L, noise=0.3, seed=seed), n, L)
        covered += (1.0 in fit.width, -0.5 in fit.depth)
    assert np.all(np.abs(covered / trials - 0.95) < 0.02), covered / trials


def test_repeating_curved_points_does_not_narrow_the_interval():
    L = np.array(DEPTHS, dtype=float)
    curved = 1 / (1 + L / 10)
    once = fit_exponents(curved, 64, L).depth
    often = fit_exponents(np.tile(curved, 50), 64, np.tile(L, 50)).depth
    assert once.half_width > 0.1
    assert often.half_width == pytest.approx(once.half_width)


def test_more_seeds_narrow_the_interval_of_straight_points():
    def width_of(seeds):
        L = np.tile(DEPTHS, seeds).astype(float)
        sizes = [planted(Order(0, -1), 64, L, noise=0.3, seed=s) for s in range(200)]
        return np.median([fit_exponents(size, 64, L).depth.half_width for size in sizes])

    assert width_of(16) == pytest.approx(width_of(1) / 4, rel=0.2)


def test_an_axis_that_does_not_vary_is_not_fitted_and_is_said_so():
    L = np.array(DEPTHS, dtype=float)
    fit = fit_exponents(planted(Order(1, "-1/2"), 64, L), np.full(5, 64.0), L)
    assert fit.width is None
    assert str(fit) == "L^(-0.50 ± <0.01) (n = 64 throughout: not fitted)"
    verdict = fit.verdict(Order(1, "-1/2"))
    assert verdict.agrees
    assert str(verdict) == "agrees: measured L^(-0.50 ± <0.01), predicted L^-1/2 (n not tested)"


def test_width_alone():
    n = np.array(WIDTHS, dtype=float)
    fit = fit_exponents(n**-1.0, n)
    assert fit.depth is None
    assert str(fit) == "n^(-1.00 ± <0.01)"
    assert fit.verdict(Order(-1)).agrees


ROOT = Order(depth="-1/2")


def judged(low, high, predicted=ROOT, tolerance=0.1):
    fit = Exponents(None, Interval((low + high) / 2, low, high), 1.0, (64.0,), (4.0, 8.0, 16.0), 3)
    return fit.verdict(predicted, tolerance)


@given(
    low=st.floats(-2, 2), high=st.floats(-2, 2), tolerance=st.floats(0.01, 1), p=st.fractions(-1, 1)
)
def test_the_three_answers(low, high, tolerance, p):
    assume(low <= high)
    answer = judged(low, high, Order(depth=p), tolerance).answer
    near, far = float(p) - tolerance, float(p) + tolerance
    inside, outside = near <= low and high <= far, high < near or far < low
    assert answer == ("agrees" if inside else "disagrees" if outside else "cannot tell")


def test_verdict_text():
    assert str(judged(-0.53, -0.43)) == "agrees: measured L^(-0.48 ± 0.05), predicted L^-1/2"
    assert str(judged(-0.1, 0.1)).startswith("disagrees: measured L^(0.00 ± 0.10)")
    assert str(judged(-0.7, -0.3)).startswith("cannot tell")


def test_one_exponent_off_is_enough_to_disagree():
    n, L = grid()
    fit = fit_exponents(planted(Order(0, "-1/2"), n, L), n, L)
    assert fit.verdict(Order(0, "-1/2")).agrees
    assert fit.verdict(Order(1, "-1/2")).disagrees
    assert fit.verdict(Order(0, 0)).disagrees


def test_a_verdict_has_no_truth_value():
    with pytest.raises(TypeError, match="three answers"):
        bool(judged(-0.53, -0.43))


@pytest.mark.parametrize("tolerance", [0, -1, nan, inf])
def test_a_tolerance_that_judges_nothing_is_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        judged(-0.53, -0.43, tolerance=tolerance)


@pytest.mark.parametrize("bad", [0.0, -1.0, nan, inf])
@pytest.mark.parametrize("name", ["size", "width", "depth"])
def test_what_has_no_logarithm_is_an_error(name, bad):
    n, L = grid()
    arrays = {"size": np.ones_like(n), "width": n, "depth": L}
    arrays[name] = np.where(np.arange(n.size) == 3, bad, arrays[name])
    with pytest.raises(ValueError, match=f"{name} holds {bad}"):
        fit_exponents(**arrays)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3], [1, 2]), "width has 2 entries and size has 3"),
        (([1, 2, 3], [1, 2, 4], [1, 2]), "depth has 2 entries"),
        (([1, 2, 3, 4], [1, 1, 2, 2]), "at least 3"),
        (([1, 2, 3], 64), "must vary"),
        (([1, 2, 3], 64, 8), "must vary"),
        (([], []), "non-empty"),
        (([1, 2, 3, 4], [4, 8, 16, 32], [1, 2, 4, 8]), "told apart"),
        (([1, 2, 3], [4, 8, 16], [1, 2, 5]), "add sizes"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_exponents(*arguments)
