"""Chapter 5's experiment: what it runs, and that its claim can fail."""

import numpy as np

from experiments.instruments.networks import BASE_DEPTH
from experiments.one_map_depth import EXPERIMENT, RULES, sweep_one_depth

SMALL = {"optimizer": "adamw", "activation": "abs", "lowest": -9, "highest": -7, "seeds": 1}


def test_a_row_a_run(tmp_path):
    frame = EXPERIMENT.run("quick", tmp_path).frame
    assert len(frame) == 3 * 2 * 3 * 2  # rules, depths, rates, seeds
    assert set(frame.rule) == set(RULES)
    assert set(frame.block_depth) == {1}
    assert np.isfinite(frame.loss).all()


def test_all_rules_are_the_same_network_at_the_base_depth():
    losses = [sweep_one_depth(rule=rule, depth=BASE_DEPTH, **SMALL).loss for rule in RULES]
    assert losses[0].equals(losses[1])
    assert losses[0].equals(losses[2])


def test_the_base_rate_serves_a_deep_network_under_k1_and_not_under_sp():
    def losses(rule, depth):
        return sweep_one_depth(rule=rule, depth=depth, **SMALL).set_index("log2_lr").loss

    base = losses("k1", BASE_DEPTH)
    tuned = base.idxmin()
    assert losses("k1", 32)[tuned] < 1.5 * base[tuned]
    assert losses("sp", 32)[tuned] > 5 * base[tuned]
