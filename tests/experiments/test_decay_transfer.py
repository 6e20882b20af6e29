"""Decay over width and depth: whose λ a run gets, and what its rows are."""

from functools import cache
from math import inf

import numpy as np
import pytest

from experiments import decay_transfer
from experiments.brief_gpt import BASE_DEPTH, BASE_WIDTH, run_of
from experiments.decay_transfer import (
    DECAYS,
    EXPERIMENT,
    MATRICES,
    base_decays,
    train_with_decay,
)
from specmup.sweeps.work import execute, plan_of

R_N, R_L = 4, 8
SHORT = [1, 4, 10]


@cache
def decays(decay, rule="k2", optimizer="adamw", r_n=1, r_l=1):
    """λ and η·λ of matrices by role at a size, in units of the base's."""
    size = {"width": r_n * BASE_WIDTH, "depth": r_l * BASE_DEPTH}
    run = run_of(rule, optimizer, -8, weight_decay=0.5, **size)
    plan = plan_of(run, weight_decay=base_decays(run, decay))
    found = {e.role: e for e in plan.values() if len(e.shape) == 2}
    rates = {e.role: e.factors.learning_rate for e in found.values()}
    own = {role: e.weight_decay / 0.5 for role, e in found.items()}
    return own, {role: own[role] * rates[role] for role in own}


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
@pytest.mark.parametrize("rule", ["sp", "k1", "k2"])
def test_at_the_base_all_are_the_same(decay, optimizer, rule):
    own, _ = decays(decay, rule, optimizer)
    assert set(own.values()) == {1.0} and set(own) == {"input", "hidden", "output"}


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_each_rule_is_what_it_says(optimizer):
    size = {"optimizer": optimizer, "r_n": R_N, "r_l": R_L}
    for rule in ("k1", "k2"):
        unchanged, _ = decays("unchanged", rule, **size)
        assert unchanged == pytest.approx(dict.fromkeys(unchanged, 1.0))
        root, _ = decays("square root", rule, **size)
        assert root["hidden"] == pytest.approx(R_N**0.5)
        _, kept = decays("independent", rule, **size)
        assert kept == pytest.approx(dict.fromkeys(kept, 1.0))


def test_the_solvers_keeps_rate_times_decay_for_two_maps_and_not_for_one():
    own, kept = decays("solved", "k2", r_n=R_N, r_l=R_L)
    assert own["hidden"] == pytest.approx(R_N) and kept["hidden"] == pytest.approx(1.0)
    _, falls = decays("solved", "k1", r_n=R_N, r_l=R_L)
    assert falls["hidden"] == pytest.approx(R_L**-0.5)


def test_what_is_left_out_of_the_grid_says_what_is_in_it():
    """No curve is run twice under two names."""
    curves = {
        (job["decay"], job["rule"], job["optimizer"], job["width"], job["depth"])
        for job in EXPERIMENT.jobs("reference")
    }
    for decay, rule, optimizer, width, depth in sorted(curves):
        if (size := (width // BASE_WIDTH, depth // BASE_DEPTH)) != (1, 1):
            own = decays(decay, rule, optimizer, *size)
            same = [d for d in DECAYS if decays(d, rule, optimizer, *size) == own]
            assert same[0] == decay, (decay, rule, optimizer, size)


@pytest.fixture
def short(monkeypatch):
    def brief(*words, **sizes):
        return run_of(*words, **sizes, batch_size=2, validation_windows=2)

    monkeypatch.setattr(decay_transfer, "run_of", brief)
    job = {"optimizer": "adamw", "rule": "k2", "decay": "solved", "width": 32, "depth": 1}
    job |= {"log2_lr": -8, "warm_up": 1, "seed": 0, "moments": SHORT}
    return lambda **more: train_with_decay(**{**job, **more})


def test_a_row_a_look_and_matrix_and_decay_makes_weights_smaller(short):
    without, strong = short(weight_decay=0.0), short(weight_decay=8.0)
    assert len(without) == len(SHORT) * len(MATRICES)
    assert without[["step", "matrix"]].drop_duplicates().shape[0] == len(without)
    assert without.groupby("step").loss.nunique().eq(1).all()
    assert without.loss.nunique() == len(SHORT)
    assert np.isfinite(without.select_dtypes("number")).all(axis=None)
    last = [frame[frame.step == 10].set_index("matrix").entry for frame in (without, strong)]
    assert (last[1] < last[0]).all()


def test_the_loss_at_a_moment_is_that_of_a_run_judged_on_the_way(short):
    frame = short(weight_decay=0.5)
    run = decay_transfer.run_of(
        *("k2", "adamw", -8), width=32, depth=1, weight_decay=0.5, steps=10, validate_every=4
    )
    history = execute(run)
    found = frame.groupby("step").loss.first()
    assert found[4] == history["validation"]["4"] and found[10] == history["loss"]


def test_a_divergence_is_infinite_from_there_on(short):
    frame = short(weight_decay=0.5, log2_lr=100)
    assert len(frame) == len(SHORT) * len(MATRICES) and (frame.loss == inf).all()


def test_a_longer_warm_up_is_another_run(short):
    brief, long = short(weight_decay=0.5), short(weight_decay=0.5, warm_up=8)
    update = [frame.set_index(["step", "matrix"])["update"] for frame in (brief, long)]
    assert (update[1] < update[0])[[1, 4]].all()
