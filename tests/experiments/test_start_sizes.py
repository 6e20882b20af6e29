"""Larger starts of one base: what is changed, and what is not."""

import pytest

from experiments import start_sizes
from experiments.start_sizes import BASE_DEPTH, EXPERIMENT, base, shape
from specmup.training.learning_rates import ordinary_base


@pytest.mark.parametrize("block_depth", [1, 2])
def test_a_larger_start_changes_the_hidden_weights_alone(block_depth):
    usual = ordinary_base(shape(block_depth, BASE_DEPTH))
    assert base(block_depth, 1.0) == usual
    large = base(block_depth, 4.0).settings
    assert large["hidden"].std == pytest.approx(4 * usual.settings["hidden"].std)
    assert large["hidden"].learning_rate == usual.settings["hidden"].learning_rate
    assert all(large[role] == usual.settings[role] for role in ("input", "output"))


def test_a_row_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr(start_sizes, "STEPS", 5)
    frame = EXPERIMENT.run("quick", tmp_path).frame
    lowest, highest = start_sizes.RATES["adamw"]
    assert len(frame) == 2 * 2 * (highest - lowest + 1)  # rules, seeds
    k1, k2 = (rows.loss.tolist() for _, rows in frame.groupby("rule"))
    assert k1 == k2  # at the base depth
