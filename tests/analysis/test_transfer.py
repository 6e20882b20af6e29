from math import inf, isnan, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.analysis.transfer import transfer

SIZES = (4, 8, 16, 32)
GRID = np.arange(-12.0, 1.0)


def sweep(optimum_at, *, sizes=SIZES, grid=GRID, seeds=3, noise=0.0, axis="depth", seed=0):
    """Runs whose seeds have quadratic curves around ``optimum_at(size)``, scattered by noise."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {axis: size, "log2_lr": x, "seed": s, "loss": 0.3 + 0.1 * (x - at) ** 2}
        for size in sizes
        for s in range(seeds)
        for at in [optimum_at(size) + noise * rng.normal()]
        for x in grid
    )


@given(start=st.floats(-7, -5), slope=st.floats(-1, 1), axis=st.sampled_from(["width", "depth"]))
def test_a_planted_drift_is_recovered(start, slope, axis):
    result = transfer(sweep(lambda size: start + slope * np.log2(size / 4), axis=axis), axis)
    assert result.drift.estimate == pytest.approx(3 * slope, abs=1e-6)
    assert result.slope.estimate == pytest.approx(slope, abs=1e-6)
    assert result.sizes[0].optimum.estimate == pytest.approx(start, abs=1e-6)
    assert result.seeds == 3


@given(slope=st.integers(-2, 2))
def test_regret_is_the_loss_at_the_carried_rate_minus_the_best(slope):
    result = transfer(sweep(lambda size: -6 + slope * np.log2(size / 4)), "depth")
    assert result.carried_log2_lr == -6
    for doublings, size in enumerate(result.sizes):
        assert size.regret.estimate == pytest.approx(0.1 * (slope * doublings) ** 2)
    assert result.regret == result.sizes[-1].regret


def test_intervals_cover_the_truth_about_95_percent_of_the_time():
    trials, covered = 400, np.zeros(3)
    for seed in range(trials):
        frame = sweep(lambda size: -6 - 0.5 * np.log2(size / 4), noise=0.3, seeds=4, seed=seed)
        result = transfer(frame, "depth")
        covered += (-6 in result.sizes[0].optimum, -1.5 in result.drift, -0.5 in result.slope)
    assert np.all(np.abs(covered / trials - 0.95) < 0.03), covered / trials


def test_regret_is_tuned_on_the_base_that_is_asked_for():
    frame = sweep(lambda size: -6 - np.log2(size / 4))
    result = transfer(frame, "depth", base=8)
    assert result.carried_log2_lr == -7
    assert result.sizes[1].regret.estimate == 0
    assert result.regret.estimate == pytest.approx(0.1 * 2**2)
    with pytest.raises(ValueError, match="base depth 5 was not run"):
        transfer(frame, "depth", base=5)


def test_a_carried_rate_that_diverges_costs_infinitely_much():
    frame = sweep(lambda size: -6)
    frame.loc[(frame.depth == 32) & (frame.log2_lr >= -6) & (frame.seed == 1), "loss"] = inf
    result = transfer(frame, "depth")
    assert result.regret.estimate == inf
    assert result.sizes[0].regret.estimate == 0
    assert result.sizes[-1].best_log2_lr == -7
    assert result.sizes[-1].bracketed == 1
    assert "beside a divergence" in result.report()


def test_an_optimum_beside_a_divergence_is_known_to_a_grid_step():
    frame = sweep(lambda size: -6)
    frame.loc[frame.log2_lr > -6, "loss"] = inf
    found = transfer(frame, "depth").sizes[0].optimum
    assert (found.estimate, found.low, found.high) == (-6, -7, -5)


def test_an_optimum_on_a_flat_is_not_said_to_have_diverged():
    frame = sweep(lambda size: -6)
    frame["loss"] = 1.0
    result = transfer(frame, "depth")
    assert {size.bracketed for size in result.sizes} == {3}
    assert "3 of 3 seeds have their optimum beside a divergence or on a flat" in str(result)


def test_an_optimum_on_the_edge_opens_the_interval():
    frame = sweep(lambda size: -3 - 4 * np.log2(size / 4), noise=0.1)
    result = transfer(frame, "depth")
    last = result.sizes[-1]
    assert last.low_edge == last.seeds == 3
    assert last.optimum.low == -inf
    assert np.isfinite(last.optimum.high)
    assert result.drift.low == -inf
    assert result.drift.high > -9  # the truth, -12, lies beyond what the grid can show
    assert result.slope.low == -inf
    assert "3 of 3 seeds have their optimum on the low edge" in str(result)


def test_a_size_at_which_all_diverges_is_a_result():
    frame = sweep(lambda size: -6)
    frame.loc[frame.depth == 32, "loss"] = inf
    result = transfer(frame, "depth")
    last = result.sizes[-1]
    assert last.diverged == 3
    assert isnan(last.optimum.estimate)
    assert last.regret.estimate == last.best_loss.estimate == inf
    assert result.seeds == 0
    assert isnan(result.drift.estimate)
    assert "diverged at every learning rate" in result.report()


def test_a_base_at_which_all_diverges_leaves_nothing_to_carry():
    frame = sweep(lambda size: -6)
    frame.loc[frame.depth == 4, "loss"] = inf
    result = transfer(frame, "depth")
    assert isnan(result.carried_log2_lr)
    assert isnan(result.regret.estimate)
    assert "none trained" in result.report()


def test_a_seed_without_an_optimum_is_counted_not_hidden():
    frame = sweep(lambda size: -6)
    frame.loc[(frame.depth == 16) & (frame.seed == 2), "loss"] = inf
    result = transfer(frame, "depth")
    assert result.seeds == 2
    assert result.sizes[2].diverged == 1
    assert result.sizes[2].best_loss.estimate == inf


def test_a_rate_that_was_not_run_is_said_so():
    small = sweep(lambda size: -6, sizes=(4,))
    large = sweep(lambda size: -6.5, sizes=(8,), grid=np.array([-8.5, -7.25, -6.5, -5.0]))
    result = transfer(pd.concat([small, large]), "depth")
    assert result.regret is None
    assert result.drift.estimate == pytest.approx(-0.5)
    assert "not run" in result.report()


def test_one_seed_has_no_interval():
    result = transfer(sweep(lambda size: -6, seeds=1), "depth")
    assert result.drift.low == -inf
    assert result.drift.high == inf
    assert "no intervals" in result.report()


def test_row_order_does_not_matter():
    frame = sweep(lambda size: -6 - np.log2(size), noise=0.2)
    assert str(transfer(frame.sample(frac=1, random_state=0), "depth")) == str(
        transfer(frame, "depth")
    )


FRAME = sweep(lambda size: -6)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[:0], "empty"),
        (FRAME.drop(columns="seed"), "lacks \\['seed'\\]"),
        (pd.concat([FRAME, FRAME[:1]]), "more than once"),
        (FRAME.drop(index=5), "seed 0 lacks log2_lr \\[-7.0\\]"),
        (FRAME[(FRAME.depth != 8) | (FRAME.seed != 1)], "same seeds"),
        (FRAME[FRAME.depth == 4], "at least two sizes"),
        (FRAME[FRAME.log2_lr > -2], "at least three"),
        (FRAME.assign(loss=FRAME.loss.where(FRAME.log2_lr < -1)), "loss is nan"),
        (FRAME.assign(seed=FRAME.seed.replace(0, nan)), "seed is nan"),
        (FRAME.assign(width=FRAME.index), "pick one"),
        (FRAME.assign(rule=np.where(FRAME.seed == 0, "sp", "k2")), "frame.rule == 'sp'"),
    ],
)
def test_bad_frames(frame, message):
    with pytest.raises(ValueError, match=message):
        transfer(frame, "depth")


def test_an_unknown_axis():
    with pytest.raises(ValueError, match="'width', 'depth'"):
        transfer(FRAME, "height")
