"""The grid of rules, block depths and non-linearities, at scale quick."""

import pytest

from experiments import depth_rules
from specmup.analysis.transfer import transfer


@pytest.fixture(scope="module")
def frame():
    return depth_rules.EXPERIMENT.run("quick").frame


def test_a_row_a_run(frame):
    low, high = depth_rules.GRIDS["sgd"]["scaled"]
    sp_low, sp_high = depth_rules.GRIDS["sgd"]["sp"]
    rates = 2 * (high - low + 1) + (sp_high - sp_low + 1)
    assert len(frame) == 3 * 2 * rates  # depths, seeds
    assert not frame.duplicated(["rule", "depth", "log2_lr", "seed"]).any()


def test_all_rules_are_the_same_network_at_the_base_depth(frame):
    base = frame[frame.depth == depth_rules.BASE_DEPTH]
    curves = base.pivot_table(index=["log2_lr", "seed"], columns="rule", values="loss")
    shared = curves.dropna()
    assert len(shared) > 10
    assert (shared.k1 == shared.k2).all() and (shared.k1 == shared.sp).all()


def test_one_map_branches_train_better_under_their_own_rule(frame):
    deepest = frame[frame.depth == frame.depth.max()]
    best = deepest.groupby(["rule", "log2_lr"]).loss.mean().groupby("rule").min()
    assert best.k1 < best.k2 - 0.05
    moved = transfer(frame[frame.rule == "k1"], axis="depth")
    assert moved.sizes[-1].regret.estimate < 0.1
