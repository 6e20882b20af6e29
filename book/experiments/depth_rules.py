"""Chapter 9: which rule transfers, and which trains, for branches of one, two and three maps.

Residual networks learn the last decimal of the sum of two digits, at constant width. Each rule
carries one base model to every depth, and the base learning rate is swept. Every activation is
followed by the subtraction of the mean, so that networks differ in nothing but the block depth,
the non-linearity and the depth.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import WIDTH, centred
from specmup.data.images import digit_sums
from specmup.models.resnet import ResNetShape
from specmup.training.learning_rates import learning_rate_sweep, ordinary_base

BASE_DEPTH, BATCH_SIZE = 2, 64

# Updates a run, and learning rates from 2^lowest to 2^highest, doubling. Under SP the best rate
# falls with the depth, so its grid reaches lower. No pair is seen twice.
GRIDS: Mapping[str, Mapping] = {
    "adamw": {"steps": 200, "scaled": (-11, -5), "sp": (-14, -7)},
    "sgd": {"steps": 200, "scaled": (-6, 1), "sp": (-11, -1)},
    "muon-kimi": {"steps": 100, "scaled": (-10, -5), "sp": (-13, -6)},
}
RULES = ["k1", "k2", "sp"]


def sweep_one_depth(
    *, optimizer: str, block_depth: int, activation: str, rule: str, depth: int, seeds: list[int]
) -> pd.DataFrame:
    """All learning rates and seeds of one network under one rule at one depth."""

    def shape(width: int, depth: int) -> ResNetShape:
        return centred(width, depth, activation, block_depth, inputs=128)

    grid = GRIDS[optimizer]
    lowest, highest = grid["sp" if rule == "sp" else "scaled"]
    return learning_rate_sweep(
        digit_sums(),
        shape,
        rules=[rule],
        optimizer=optimizer,
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=seeds,
        base=ordinary_base(shape(WIDTH, BASE_DEPTH)),
        steps=grid["steps"],
        batch_size=BATCH_SIZE,
    )


_QUICK = {
    "optimizer": "sgd",
    "depth": [2, 4, 8],
    "block_depth": 1,
    "activation": "abs",
    "rule": RULES,
    "seeds": Constant([0, 1]),
}
EXPERIMENT = Experiment(
    point=sweep_one_depth,
    version=1,
    keys=("optimizer", "block_depth", "activation", "rule", "depth", "log2_lr", "seed"),
    scales={
        "quick": _QUICK,
        "slice": _QUICK | {"depth": 4},
        "reference": {
            "optimizer": ["adamw", "sgd", "muon-kimi"],
            "depth": [2, 4, 8, 16, 32, 64],
            "block_depth": [1, 2, 3],
            "activation": ["relu", "abs"],
            "rule": RULES,
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
