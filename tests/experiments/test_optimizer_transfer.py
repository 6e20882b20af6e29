"""Chapters 13 and 14's experiment: what it runs, what stands for what, and that it can fail."""

import numpy as np
import pytest

from experiments import optimizer_transfer
from experiments.instruments.grids import beyond_edges
from experiments.optimizer_transfer import (
    BASE_WIDTH,
    EXPERIMENT,
    EXTENSION,
    LOWEST,
    RATES,
    RULES,
    SAME,
    base,
    slice_along,
    sweep_one_size,
)
from specmup.analysis.transfer import transfer
from specmup.theory.update import LAWS


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return EXPERIMENT.run("quick", tmp_path_factory.mktemp("pieces")).frame


def test_every_optimizer_is_run_or_stood_for():
    names = {job["optimizer"] for job in EXPERIMENT.jobs("reference")}
    assert names == set(LOWEST)
    for law in LAWS:
        for rule in RULES:
            assert SAME.get((law, rule), law) in names


def test_optima_lie_inside_their_grids(quick):
    assert set(quick.rule) == set(RULES)
    assert quick.groupby(["rule", "width"]).log2_lr.nunique().min() >= RATES
    for _, rows in quick.groupby(["rule", "width"]):
        assert not beyond_edges(rows, by="log2_lr", rates=EXTENSION)


def test_runs_at_the_base_stand_for_sp(quick):
    sp, k2 = (slice_along(quick, "width", rule, "adamw") for rule in ("sp", "k2"))
    at_base = [rows[rows.width == BASE_WIDTH].loss.tolist() for rows in (sp, k2)]
    assert at_base[0] == at_base[1]
    assert set(sp.width) == set(k2.width) == {16, 32, 64}
    assert set(sp.rule) == {"sp"}
    lamb = slice_along(quick, "width", "enforced", "lamb")
    assert set(lamb.optimizer) == {"lamb"}
    assert lamb.loss.tolist() == slice_along(quick, "width", "enforced", "adamw").loss.tolist()


def test_transfer_can_be_measured_under_every_rule(quick):
    for rule in RULES:
        found = transfer(slice_along(quick, "width", rule, "adamw"), "width", base=BASE_WIDTH)
        assert np.isfinite([found.drift.estimate, found.sizes[0].regret.estimate]).all()


def one_rate(monkeypatch):
    for name, value in {"STEPS": 4, "RATES": 1, "MOST_EXTENSIONS": 0}.items():
        monkeypatch.setattr(optimizer_transfer, name, value)


def final_loss(optimizer, rule, log2_lr):
    job = {"optimizer": optimizer, "rule": rule, "lowest": log2_lr}
    return sweep_one_size(**job, width=32, depth=2, seeds=[0]).loss.item()


@pytest.mark.parametrize("pair", [p for p in SAME.items() if p[0][0] != "lamb-clamped"], ids=str)
def test_optimizers_that_stand_for_others_are_the_same(pair, monkeypatch):
    (name, rule), other = pair
    one_rate(monkeypatch)
    lowest = LOWEST[other][rule == "enforced"] + 2
    losses = [final_loss(which, rule, lowest) for which in (name, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_different_optimizers_are_not(monkeypatch):
    one_rate(monkeypatch)
    losses = [final_loss(name, "enforced", -5) for name in ("adamw", "muon-kimi")]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_a_grid_is_extended_until_the_optimum_is_inside():
    frame = sweep_one_size(optimizer="sgd", rule="k2", width=16, depth=2, lowest=-14, seeds=[0])
    assert frame.log2_lr.nunique() > RATES
    assert not beyond_edges(frame, by="log2_lr", rates=EXTENSION)
    assert frame.log2_lr.is_monotonic_increasing


def test_the_base_has_one_rate_unless_the_optimizer_asks_for_another():
    rates = {role: s.learning_rate for role, s in base(1.6).settings.items()}
    assert rates == {"input": 1.0, "hidden": 1.6, "output": 1.0}
