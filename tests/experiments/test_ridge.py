"""Chapter 9's ridge: what it runs, and that two maps differ from one."""

import numpy as np

from experiments.ridge import EXPERIMENT, sweep_one_multiplier
from specmup.analysis.optimum import optimum


def test_a_row_a_run(tmp_path):
    frame = EXPERIMENT.run("quick", tmp_path).frame
    assert len(frame) == 2 * 3 * 3 * 2  # depths, multipliers, rates, seeds
    assert set(frame.log2_multiplier) == {-2, -1, 0}
    assert np.isfinite(frame.loss).all()


def test_one_map_trades_one_to_one_and_two_maps_do_not():
    """A multiplier 8 times smaller: the rate of one map grows 8-fold, of two by much less."""

    def best(block_depth, log2_multiplier, rates):
        frame = sweep_one_multiplier(
            block_depth=block_depth,
            depth=2,
            log2_multiplier=log2_multiplier,
            rates=rates,
            seeds=[0, 1],
        )
        losses = frame.groupby("log2_lr").loss.mean()
        return optimum(losses.index, losses).log2_lr

    assert 2.5 < best(1, -4, (-4, 0)) - best(1, -1, (-7, -3)) < 3.5
    assert 1 < best(2, -4, (-7, -3)) - best(2, -1, (-9, -5)) < 2.3
