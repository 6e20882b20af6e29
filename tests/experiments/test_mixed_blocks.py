"""Blocks of one and of two maps in one network: what each rule hands to which branch."""

import pytest

from experiments import mixed_blocks
from experiments.mixed_blocks import BASE_DEPTH, PATTERNS, RULES, settings, shape


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_each_branch_gets_the_rule_of_its_own_block_depth(pattern, optimizer):
    network = shape(pattern, "relu", 32)
    own, one, two = (settings(network, rule, optimizer, 0.1) for rule in RULES)
    assert own["hidden1"] == one["hidden1"] and own["hidden2"] == two["hidden2"]
    assert own["hidden1"] != two["hidden1"] and own["hidden2"] != one["hidden2"]
    assert all(own[role] == one[role] == two[role] for role in ("input", "output"))
    r = 32 / BASE_DEPTH
    base = settings(shape(pattern, "relu", BASE_DEPTH), "own", optimizer, 0.1)
    assert own["hidden1"].multiplier == pytest.approx(base["hidden1"].multiplier * r**-0.5)
    assert own["hidden2"].multiplier == pytest.approx(base["hidden2"].multiplier / r)
    rates = {"adamw": (r**-0.5, 1), "sgd": (1, r)}[optimizer]
    for role, factor in zip(("hidden1", "hidden2"), rates, strict=True):
        expected = base[role].learning_rate * factor
        assert own[role].learning_rate == pytest.approx(expected)


@pytest.fixture
def curves(monkeypatch):
    """Losses over the learning rates, one list a rule, of short runs."""
    monkeypatch.setattr(mixed_blocks, "STEPS", 20)

    def of(**job):
        frames = [mixed_blocks.sweep_one_depth(**job, rule=r, seeds=[0]) for r in RULES]
        return [frame.loss.tolist() for frame in frames]

    return of


def test_all_rules_are_one_network_at_the_base_depth(curves):
    own, one, two = curves(optimizer="adamw", pattern="in turn", activation="abs", depth=BASE_DEPTH)
    assert own == one == two
    assert len(set(own)) == 5  # learning rates
    assert min(own) < 2.25  # guessing costs 2.3


def test_rules_part_beyond_the_base_depth(curves):
    own, one, two = curves(optimizer="sgd", pattern="parallel", activation="relu", depth=4)
    assert own != one and own != two and one != two
