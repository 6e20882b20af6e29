"""Chapter 5: the best learning rate of one-map networks, over depth, under three rules.

Residual networks whose branch holds one map learn digits at constant width. Each rule carries the
base model's settings to each depth, and the base learning rate is swept. ``abs`` stands for
h + α·MS(|Wh|), where MS subtracts the mean over the width: the network of yang2024.
"""

from __future__ import annotations

import pandas as pd

from experiments.declared import Experiment
from experiments.instruments.networks import WIDTH, base, centred
from specmup.data.images import digits
from specmup.training.learning_rates import learning_rate_sweep

RULES = ["sp", "k1", "k2"]
STEPS, BATCH_SIZE = 50, 32


def sweep_one_depth(
    *, optimizer: str, activation: str, lowest: int, highest: int, seeds: int, rule: str, depth: int
) -> pd.DataFrame:
    """All learning rates, from 2^lowest to 2^highest, and seeds of one rule at one depth."""
    return learning_rate_sweep(
        digits(),
        lambda width, depth: centred(width, depth, activation),
        rules=[rule],
        optimizer=optimizer,
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=list(range(seeds)),
        base=base(),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )


EXPERIMENT = Experiment(
    point=sweep_one_depth,
    version=1,
    keys=("optimizer", "activation", "rule", "depth", "log2_lr", "seed"),
    scales={
        "quick": {
            "optimizer, activation, lowest, highest, seeds": [("adamw", "abs", -11, -9, 2)],
            "rule": RULES,
            "depth": [4, 16],
        },
        "reference": {
            "optimizer, activation, lowest, highest, seeds": [
                ("adamw", "abs", -11, -4, 5),
                ("sgd", "abs", -8, 1, 5),
                ("adamw", "linear", -11, -4, 5),
                ("sgd", "linear", -8, 1, 5),
                ("muon-kimi", "abs", -9, -4, 3),
            ],
            "rule": RULES,
            "depth": [4, 8, 16, 32, 64],
        },
    },
)
