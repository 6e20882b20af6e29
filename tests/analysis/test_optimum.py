from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.analysis.optimum import optimum

grids = st.lists(st.integers(-60, 0), min_size=3, max_size=12, unique=True).map(
    lambda quarters: np.array(quarters) / 4
)


@given(grid=grids, where=st.floats(0.02, 0.98), floor=st.floats(0, 5), bend=st.floats(0.01, 10))
def test_a_planted_quadratic_is_found_exactly_or_said_to_be_on_the_edge(grid, where, floor, bend):
    truth = grid.min() + where * (grid.max() - grid.min())
    found = optimum(grid, floor + bend * (grid - truth) ** 2)
    if found.edge is None:
        assert found.log2_lr == pytest.approx(truth, abs=1e-5)
        assert found.loss == pytest.approx(floor, abs=1e-5)
        assert found.low == found.high == found.log2_lr
    else:
        assert found.low <= truth <= found.high


@given(grid=grids, outside=st.floats(0.0, 5.0), side=st.sampled_from(["low", "high"]))
def test_a_minimum_beyond_the_grid_is_flagged_and_bounded(grid, outside, side):
    truth = grid.min() - outside if side == "low" else grid.max() + outside
    found = optimum(grid, (grid - truth) ** 2)
    assert found.edge == side
    assert found.low <= truth <= found.high
    assert found.low == -inf if side == "low" else found.high == inf
    assert f"{side} edge" in str(found)


@given(grid=grids, seed=st.integers(0, 10**6))
def test_the_estimate_never_leaves_the_neighbours_of_the_minimum(grid, seed):
    loss = np.random.default_rng(seed).exponential(size=grid.size)
    found = optimum(grid, loss)
    order = np.sort(grid)
    i = int(np.searchsorted(order, grid[loss.argmin()]))
    assert order[max(i - 1, 0)] <= found.log2_lr <= order[min(i + 1, grid.size - 1)]
    assert found.loss <= loss.min()


def test_diverged_rates_away_from_the_minimum_change_nothing():
    grid = np.arange(-8.0, 0.0)
    loss = (grid + 5.3) ** 2
    cut = np.where(grid > -4, inf, loss)
    assert optimum(grid, cut) == optimum(grid, loss)


def test_a_minimum_beside_a_divergence_is_only_bracketed():
    found = optimum([-4, -3, -2, -1], [3.0, 2.0, 1.0, inf])
    assert (found.log2_lr, found.low, found.high, found.edge) == (-2, -3, -1, None)
    assert found.bracketed
    assert str(found) == "-2.00 (between -3 and -1)"


def test_a_flat_curve_is_only_bracketed():
    found = optimum([-4, -3, -2, -1, 0], [1.0] * 5)
    assert (found.log2_lr, found.low, found.high) == (-2, -3, -1)


def test_all_diverged_is_a_result_that_says_so():
    found = optimum([-2, -1, 0], [inf] * 3)
    assert found.diverged
    assert found.edge is None
    assert found.loss == inf
    assert str(found) == "no optimum: every learning rate diverged"


def test_of_two_equal_minima_the_central_one_counts():
    assert optimum([-2, -1, 0], [1.0, 1.0, 3.0]).log2_lr == pytest.approx(-1.5)


@pytest.mark.parametrize(
    ("log2_lr", "loss", "message"),
    [
        ([-1, 0], [1, 2, 3], "equal length"),
        ([-1, 0], [1, 2], "at least three"),
        ([], [], "at least three"),
        ([-1, -1, 0], [1, 2, 3], "repeated"),
        ([-1, nan, 0], [1, 2, 3], "finite"),
        ([-1, -2, 0], [1, nan, 3], "inf \\(diverged\\)"),
        ([-1, -2, 0], [1, -inf, 3], "inf \\(diverged\\)"),
    ],
)
def test_bad_curves(log2_lr, loss, message):
    with pytest.raises(ValueError, match=message):
        optimum(log2_lr, loss)
