"""The sweep over many depths: its grids, and what stands for what."""

import numpy as np
import pytest

from experiments import depth_swings
from experiments.depth_swings import EXTENSION, RUNS, base_at, sweep_one_depth
from experiments.instruments.grids import beyond_edges
from specmup.theory.rules import parametrization


@pytest.fixture(scope="module")
def frame():
    return depth_swings.EXPERIMENT.run("quick").frame


def test_rates_are_half_octaves_around_every_optimum(frame):
    for _, rows in frame.groupby(["rule", "depth"]):
        rates = np.sort(rows.log2_lr.unique())
        assert set(np.diff(rates)) == {0.5}
        halves = rows.assign(half_octaves=(2 * rows.log2_lr).astype(int))
        assert not beyond_edges(halves, by="half_octaves", rates=EXTENSION)


def test_both_rules_are_one_network_at_the_base_depth(frame):
    at_base = frame[frame.depth == 4].pivot(
        index=["log2_lr", "seed"], columns="rule", values="loss"
    )
    assert len(at_base) and (at_base.k2 == at_base.sp).all()


def test_a_clamp_binds_at_the_width_that_it_is_given_and_not_at_the_others():
    """‖W‖_F = std·n at the start, and the library's clamp is 10."""
    norms = {
        name: base_at(width).settings["hidden"].std * width for name, (width, *_) in RUNS.items()
    }
    assert norms.pop("lamb-clamped") > 10 > max(norms.values())


def test_where_it_does_not_bind_a_clamp_changes_nothing(monkeypatch):
    monkeypatch.setattr(depth_swings, "RATES", 1)
    monkeypatch.setattr(depth_swings, "MOST_EXTENSIONS", 0)
    job = {"rule": "k2", "depth": 2, "lowest": -17, "seeds": [0]}
    narrow, wide = (
        [
            sweep_one_depth(optimizer=name, width=width, **job).loss.item()
            for name in ("lamb", "lamb-clamped")
        ]
        for width in (64, 128)
    )
    assert narrow[0] == narrow[1]
    assert wide[0] != pytest.approx(wide[1], rel=1e-3)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_only_the_depth_grows(name):
    """So no factor of a rule depends on the width at which an optimizer is run."""
    rule = parametrization("k2", name)["hidden"]
    assert rule.multiplier.evaluate(1, 2) == 1 / 2
