from fractions import Fraction
from itertools import product
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from specmup.analysis.exponents import TOLERANCE, Exponents
from specmup.analysis.fit import fit_exponents
from specmup.analysis.interval import Interval, mean_interval
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


def repeated(seeds, depths=(4, 16, 64)):
    """A grid, measured by each of several seeds."""
    n, L = (np.tile(axis, seeds) for axis in grid(depths=depths))
    return n, L, np.repeat(np.arange(seeds), n.size // seeds)


def coverage(fit_of, trials=600):
    """How often the truth, n·L^-1/2, is in the intervals of the fits of many draws."""
    covered = np.zeros(2)
    for draw in range(trials):
        fit = fit_of(draw)
        covered += (1.0 in fit.width, -0.5 in fit.depth)
    return covered / trials


def test_one_seed_covers_the_truth_about_95_percent_of_the_time():
    n, L = grid(depths=(4, 16, 64))
    found = coverage(
        lambda draw: fit_exponents(planted(Order(1, "-1/2"), n, L, noise=0.3, seed=draw), n, L)
    )
    assert np.all(np.abs(found - 0.95) < 0.02), found


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_seeds_that_scatter_apart_at_every_size_are_covered(seeds):
    n, L, seed = repeated(seeds)
    found = coverage(
        lambda draw: fit_exponents(
            planted(Order(1, "-1/2"), n, L, noise=0.3, seed=draw), n, L, seed=seed
        )
    )
    # The wider of two intervals that each cover 95 % covers more, not much.
    assert np.all((0.935 < found) & (found < 0.999)), found


@pytest.mark.parametrize("seeds", [3, 5])
def test_seeds_whose_exponents_differ_are_covered(seeds):
    """A seed that does something to all its sizes at once leaves nothing over from the plane."""
    n, L, seed = repeated(seeds)

    def drawn(draw):
        own = np.random.default_rng(draw).normal(scale=0.3, size=(2, seeds))[:, seed]
        size = planted(Order(1, "-1/2"), n, L, noise=0.02, seed=draw) * n ** own[0] * L ** own[1]
        return size

    found = coverage(lambda draw: fit_exponents(drawn(draw), n, L, seed=seed), 400)
    assert np.all(np.abs(found - 0.95) < 0.03), found

    def of_means(draw):
        logs = np.log(drawn(draw)).reshape(seeds, -1).mean(axis=0)
        return fit_exponents(np.exp(logs), *grid(depths=(4, 16, 64)))

    assert np.all(coverage(of_means, 400) < 0.5)  # what is left over alone does not see it


def test_the_interval_is_the_wider_of_what_seeds_and_sizes_leave_open():
    L, seeds = np.array(DEPTHS, dtype=float), 4
    own = np.array([-0.3, -0.1, 0.1, 0.3])
    curve = 1 / (1 + L / 10)
    for bend, spread in product((0.0, 1.0), (0.0, 1.0)):
        table = curve**bend * L ** (spread * own[:, None])  # (seeds, depths)
        fit = fit_exponents(
            table.ravel(), 64, np.tile(L, seeds), seed=np.repeat(range(seeds), L.size)
        )
        of_means = fit_exponents(np.exp(np.log(table).mean(axis=0)), 64, L).depth
        over_seeds = mean_interval([np.polyfit(np.log(L), np.log(row), 1)[0] for row in table])
        assert fit.seeds == seeds
        assert fit.depth.estimate == pytest.approx(over_seeds.estimate)
        wider = max(of_means.half_width, over_seeds.half_width)
        assert fit.depth.half_width == pytest.approx(wider)


def test_two_seeds_are_judged_by_the_sizes_alone():
    L = np.array(DEPTHS, dtype=float)
    fit = fit_exponents([*L**0.4, *L**0.6], 64, [*L, *L], seed=[0] * 5 + [1] * 5)
    assert fit.depth.estimate == pytest.approx(0.5)
    assert fit.depth.half_width == pytest.approx(0, abs=1e-9)


def lacking(*cells):
    """Depths and seeds of four seeds, less these (depth, seed)."""
    present = [(L, s) for s in range(4) for L in DEPTHS if (L, s) not in cells]
    return np.array(present).T


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [(64, 3)],
        [(4, 0), (8, 1), (16, 2), (32, 3)],
        [(L, 3) for L in DEPTHS[:4]],
        [(L, s) for s in (2, 3) for L in DEPTHS[1:4]],
    ],
)
def test_what_a_seed_does_to_its_sizes_is_no_exponent_where_it_lacks_some(cells):
    L, seed = lacking(*cells)
    fit = fit_exponents(L**-0.5 * 10.0**seed, 64, L, seed=seed)
    assert fit.depth.estimate == pytest.approx(-0.5, abs=1e-12)
    assert fit.depth.half_width == pytest.approx(0, abs=1e-9)
    assert fit.constant == pytest.approx(10**1.5)  # of a seed in the middle


@pytest.mark.parametrize("cells", [[], [(64, 3), (32, 3), (16, 3)], [(4, 0), (4, 1), (64, 2)]])
def test_the_means_are_least_squares_over_sizes_and_seeds(cells):
    L, seed = lacking(*cells)
    size = planted(Order(0, -1), 64, L, noise=0.3)
    found = fit_exponents(size, 64, L, seed=seed).depth
    both = pd.get_dummies(pd.DataFrame({"L": L, "seed": seed}), columns=["L", "seed"], dtype=float)
    means = np.linalg.lstsq(both, np.log(size))[0][: len(DEPTHS)]
    assert found.estimate == pytest.approx(np.polyfit(np.log(DEPTHS), means, 1)[0], abs=1e-12)


@pytest.mark.parametrize("seed", [np.repeat(range(3), 5), range(15)])
def test_the_means_are_plain_where_all_seeds_have_all_sizes_or_every_size_has_its_own(seed):
    L = np.tile(DEPTHS, 3)
    size = planted(Order(0, -1), 64, L, noise=0.3)
    means = np.log(size).reshape(3, -1).mean(axis=0)
    found = fit_exponents(size, 64, L, seed=seed).depth
    assert found.estimate == pytest.approx(np.polyfit(np.log(DEPTHS), means, 1)[0], abs=1e-12)


def test_seeds_that_lack_sizes_have_no_exponent_of_their_own():
    L, seed = lacking((64, 3))
    size = planted(Order(0, -1), 64, L, noise=0.3)
    found = fit_exponents(size, 64, L, seed=seed)
    own = [np.polyfit(np.log(DEPTHS), np.log(size[seed == s]), 1)[0] for s in range(3)]
    assert found.seeds == 3
    assert found.depth.half_width >= mean_interval(own).half_width - 1e-12


def test_two_seeds_with_one_size_in_common():
    fit = fit_exponents([1, 1, 100, 100], [1, 2, 2, 4], seed=[0, 0, 1, 1])
    assert fit.width.estimate == pytest.approx(0, abs=1e-12)


def test_seeds_without_a_size_in_common_are_refused():
    with pytest.raises(ValueError, match=r"seeds \[0, 2\] share no size with seeds \[1\]: measure"):
        fit_exponents([1, 1, 1, 1, 2], [1, 2, 4, 8, 2], seed=[0, 0, 1, 1, 2])


def test_repeating_curved_points_does_not_narrow_the_interval():
    L = np.array(DEPTHS, dtype=float)
    curved = 1 / (1 + L / 10)
    once = fit_exponents(curved, 64, L).depth
    seed = np.repeat(range(50), L.size)
    often = fit_exponents(np.tile(curved, 50), 64, np.tile(L, 50), seed=seed).depth
    assert once.half_width > 0.1
    assert often.half_width == pytest.approx(once.half_width)


def test_more_seeds_narrow_the_interval_of_straight_points():
    def width_of(seeds):
        L, seed = np.tile(DEPTHS, seeds).astype(float), np.repeat(range(seeds), len(DEPTHS))
        sizes = [planted(Order(0, -1), 64, L, noise=0.3, seed=s) for s in range(200)]
        return np.median([fit_exponents(x, 64, L, seed=seed).depth.half_width for x in sizes])

    assert width_of(64) == pytest.approx(width_of(16) / 2, rel=0.2)


def test_rows_may_come_in_any_order():
    n, L, seed = repeated(4)
    size = planted(Order(1, "-1/2"), n, L, noise=0.3)
    order = np.random.default_rng(0).permutation(n.size)
    one = fit_exponents(size, n, L, seed=seed)
    other = fit_exponents(size[order], n[order], L[order], seed=seed[order])
    assert str(one) == str(other)


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
    fit = Exponents(None, Interval((low + high) / 2, low, high), 1.0, (64.0,), (4.0, 8.0, 16.0), 1)
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


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (None, "repeated within a seed: name the seeds"),
        ([0, 0, 0, 1, 1], "give one for each measurement"),
        ([0, 0, 0, 0, 1, 1], "measure a size once with each seed"),
    ],
)
def test_repeated_sizes_need_the_seeds_that_they_are_of(seed, message):
    with pytest.raises(ValueError, match=message):
        fit_exponents([1, 2, 3, 1, 2, 3], [1, 2, 4, 1, 2, 4], seed=seed)


@given(halves=st.integers(-4, 4), off=st.floats(-0.24, 0.24))
def test_the_tolerance_tells_an_order_from_its_neighbours(halves, off):
    n = np.array(WIDTHS, dtype=float)
    fit = fit_exponents(n ** (halves / 2 + off), n)
    asked = {h: fit.verdict(Order(Fraction(h, 2))) for h in range(-6, 7)}
    assert [h for h, one in asked.items() if one.agrees] == [halves]
    assert TOLERANCE == 1 / 4
