"""Chapter 6's experiment: what it records, and that its claim can fail."""

import pytest

from experiments.second_order import train_and_expand
from specmup.analysis.fit import fit_exponents
from specmup.theory.order import ONE, Order

SMALL = {"optimizer": "muon-kimi", "batch_size": 32, "width": 32, "seeds": [0, 1], "steps": 2}


@pytest.fixture(scope="module")
def frames():
    return {
        rule: [train_and_expand(rule=rule, depth=depth, **SMALL) for depth in (4, 8, 16, 32)]
        for rule in ("k1", "k2")
    }


def test_a_row_a_seed_and_step(frames):
    frame = frames["k2"][0]
    assert frame[["seed", "step"]].to_numpy().tolist() == [[0, 1], [1, 1], [0, 2], [1, 2]]
    assert (frame.filter(regex="first|second|attained") > 0).all(axis=None)
    assert (frame.filter(like="attained") <= 1 + 1e-2).all(axis=None)


def test_both_rules_are_the_same_network_at_the_base_depth(frames):
    first, second = frames["k1"][0], frames["k2"][0]
    assert first.drop(columns="rule").equals(second.drop(columns="rule"))


def test_each_rule_has_its_exponent_and_not_the_other_one(frames):
    expected = {"k1": Order(depth="-1/2"), "k2": ONE}
    for rule, runs in frames.items():
        last = [frame[frame.step == 2] for frame in runs]
        ratio = [r for frame in last for r in frame.step_second / frame.step_first]
        depth = [d for frame in last for d in frame.depth]
        seed = [s for frame in last for s in frame.seed]
        fit = fit_exponents(ratio, 32, depth, seed=seed)
        other = expected["k2" if rule == "k1" else "k1"]
        assert fit.verdict(expected[rule]).agrees
        assert fit.verdict(other).disagrees
