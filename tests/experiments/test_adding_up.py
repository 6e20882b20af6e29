"""Chapter 6's sums: what is recorded, and that their exponents can be told apart."""

import numpy as np
import pytest

from experiments.adding_up import train_and_add
from experiments.instruments.networks import started_at
from specmup.theory.rules import parametrization

SMALL = {"optimizer": "muon-kimi", "width": 32, "seeds": [0, 1, 2], "moments": [1, 4]}
DEPTHS = (4, 16, 64)


@pytest.fixture(scope="module")
def frames():
    return {
        power: [train_and_add(power=power, depth=depth, **SMALL) for depth in DEPTHS]
        for power in ("1/2", "1")
    }


def slope(frames, step, column):
    """Exponent in L of a column's mean over seeds."""
    means = [np.log(column(frame[frame.step == step])).mean() for frame in frames]
    return np.polyfit(np.log(DEPTHS), means, 1)[0]


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
@pytest.mark.parametrize(("power", "known"), [("1/2", "k1"), ("1", "k2")])
def test_the_ends_are_the_rules_for_one_map_and_for_two(optimizer, power, known):
    assert started_at(power, optimizer)["hidden"] == parametrization(known, optimizer)["hidden"]


def test_only_the_asked_steps_are_kept(frames):
    frame = frames["1"][0]
    assert frame[["seed", "step"]].to_numpy().tolist() == [[s, t] for t in (1, 4) for s in range(3)]
    assert (frame[["first", "second", "first_sum", "second_sum", "relative"]] > 0).all(axis=None)


def test_all_are_the_same_network_at_the_base_depth(frames):
    first, second = (frames[power][0].drop(columns="power") for power in ("1/2", "1"))
    assert first.equals(second)


def test_first_orders_add_up_as_aligned_and_second_ones_at_the_start_do_not(frames):
    for runs in frames.values():
        assert slope(runs, 1, lambda f: f.first_sum / f["first"]) == pytest.approx(1, abs=0.1)
        assert slope(runs, 1, lambda f: f.second_sum / f.second) == pytest.approx(0.5, abs=0.2)


def test_agreement_is_by_chance_at_the_start_and_of_one_sign_after(frames):
    deepest = frames["1"][-1].set_index(["step", "seed"])
    start, later = deepest.agreement[1], deepest.agreement[4]
    assert start.abs().max() < 3 * (32 * 64) ** -0.5  # a mean of 64 blocks, each of about n^-1/2
    assert later.max() < 0
    assert later.mean() < -0.02
    assert deepest.agreement_rms[1].mean() == pytest.approx(32**-0.5, rel=0.1)
