"""Whether an optimum swings, drifts or keeps still: planted curves of each kind are told apart."""

import numpy as np
import pandas as pd
import pytest

from experiments.reading.swings import STILL, swings

DEPTHS = [4, 8, 16, 32, 64, 128]
UP_AND_DOWN = [-8, -7, -8, -7, -8, -7]
RATES = np.arange(-11, -3.9, 0.5)


def runs(optima, noise=0.01, seeds=8, rates=RATES):
    """A parabola in the logarithm around each depth's optimum, noise of its own in each run."""
    g = np.random.default_rng(0)
    return pd.DataFrame(
        {"depth": depth, "log2_lr": rate, "seed": seed, "loss": np.exp(0.2 * (rate - at) ** 2 + e)}
        for depth, at in zip(DEPTHS, optima, strict=False)
        for rate in rates
        for seed in range(seeds)
        for e in [noise * g.standard_normal()]
    )


@pytest.mark.parametrize(
    ("optima", "answer", "turns"),
    [
        (UP_AND_DOWN, "oscillates", 4),
        ([-8, -7, -7, -8, -8, -7], "oscillates", 2),  # pauses are no turns
        ([-9, -8, -7, -7, -8, -9], "turns", 1),
        ([-9, -8.5, -8, -7.5, -7, -6.5], "drifts", 0),  # however far
        ([-6, -6, -6, -6, -6, -9], "drifts", 0),
        ([-8] * 6, "still", 0),
    ],
)
def test_kinds_are_told_apart(optima, answer, turns):
    found = swings(runs(optima))
    assert (found.answer, found.turns) == (answer, turns)
    assert found.optima == pytest.approx(optima, abs=0.1)


def test_noise_that_hides_a_swing_hides_stillness_too():
    for optima in (UP_AND_DOWN, [-8] * 6):
        assert swings(runs(optima, noise=1.5, seeds=3)).answer == "cannot tell"


def test_the_room_holds_the_swing_that_is_there():
    assert swings(runs(UP_AND_DOWN)).room == pytest.approx(1, abs=0.2)
    assert swings(runs([-8] * 6)).room < 0.1
    drifting = swings(runs([-9, -8.5, -8, -7.5, -7, -6.5]))
    assert drifting.room == 0


@pytest.mark.parametrize("beyond", [-14, -1])
def test_an_optimum_at_the_edge_of_the_grid_is_only_bounded(beyond):
    """All curves fall to the last rate: there all optima would be equal, and still."""
    found = swings(runs([beyond] * 6))
    assert found.answer == "cannot tell"
    assert all((move.low, move.high) == (-np.inf, np.inf) for move in found.moves)
    (*inside, last) = swings(runs([-8] * 5 + [beyond])).moves  # of which one end is known
    assert (last.low, last.high)[beyond > -8] == np.inf * np.sign(beyond + 8)
    assert 0 not in last and all(0 in move for move in inside)


def test_the_edge_where_faster_rates_diverge_bounds_the_optimum():
    frame = runs([-7.5] * 6)
    frame["loss"] = frame.loss.mask(frame.log2_lr > -7.4, np.inf)
    assert swings(frame).answer == "still"


def test_what_climbs_by_steps_too_small_to_be_told_is_not_still():
    """No step of 0.3 is told, and none can turn; but five of them are an octave and a half."""
    found = swings(runs([-8.5 + 0.3 * i for i in range(6)], noise=0.1))
    assert not found.told and found.room <= STILL < found.reach
    assert found.answer == "cannot tell"
    assert swings(runs([-8] * 6)).reach < 0.1


def test_moves_hold_together():
    """Of 60 networks whose optimum keeps still, few are said to move at all."""
    told = 0
    for first in range(60):
        g = np.random.default_rng(first)
        frame = runs([-8] * 6, noise=0, seeds=5, rates=np.arange(-10, -5.9, 0.5))
        frame["loss"] *= np.exp(0.1 * g.standard_normal(len(frame)))
        told += bool(swings(frame).told)
    assert told <= 8  # 5 % are 3


def test_diverged_rates_are_left_out_and_too_few_are_refused():
    frame = runs([-8] * 6)
    fast = frame.log2_lr > -7.4
    assert swings(frame.assign(loss=frame.loss.mask(fast, np.inf))).answer == "still"
    with pytest.raises(ValueError, match="2 rates near the best"):
        swings(frame[frame.log2_lr.isin([-8, -7.5])])
    with pytest.raises(ValueError, match="run more"):
        swings(frame[frame.depth < 10])
    with pytest.raises(ValueError, match="same two or more"):
        swings(frame[(frame.depth > 4) | (frame.seed > 1)])
