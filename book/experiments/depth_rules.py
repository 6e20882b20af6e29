"""Chapter 8: which rule transfers, and which trains, for branches of one, two and three maps.

Residual networks learn the last decimal of the sum of two digits, at constant width. Each rule
carries one base model to every depth, and the base learning rate is swept. Every activation is
followed by the subtraction of the mean, so that networks differ in nothing but the block depth,
the non-linearity and the depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pandas as pd

from specmup.data.images import digit_sums
from specmup.models.resnet import ResNetShape
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.training.learning_rates import learning_rate_sweep, ordinary_base

WIDTH, BASE_DEPTH, BATCH_SIZE = 64, 2, 64

# Updates a run, and learning rates from 2^lowest to 2^highest, doubling. Under SP the best rate
# falls with the depth, so its grid reaches lower. No pair is seen twice.
GRIDS: Mapping[str, Mapping] = {
    "adamw": {"steps": 200, "scaled": (-11, -5), "sp": (-14, -7)},
    "sgd": {"steps": 200, "scaled": (-6, 1), "sp": (-11, -1)},
    "muon-kimi": {"steps": 100, "scaled": (-10, -5), "sp": (-13, -6)},
}
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "optimizers": ["sgd"],
        "block_depths": [1],
        "activations": ["abs"],
        "depths": [2, 4, 8],
        "seeds": [0, 1],
    },
    "slice": {
        "optimizers": ["sgd"],
        "block_depths": [1],
        "activations": ["abs"],
        "depths": [4],
        "seeds": [0, 1],
    },
    "reference": {
        "optimizers": ["adamw", "sgd", "muon-kimi"],
        "block_depths": [1, 2, 3],
        "activations": ["relu", "abs"],
        "depths": [2, 4, 8, 16, 32, 64],
        "seeds": [0, 1, 2, 3, 4],
    },
}
RULES = ("k1", "k2", "sp")

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "block_depth", "activation", "rule", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale, with the columns of ``learning_rate_sweep``."""
    grid = SCALES[scale_name]
    jobs = [
        {
            "optimizer": optimizer,
            "block_depth": block_depth,
            "activation": activation,
            "rule": rule,
            "depth": depth,
            "seeds": grid["seeds"],
        }
        for optimizer, depth, block_depth, activation, rule in product(
            grid["optimizers"], grid["depths"], grid["block_depths"], grid["activations"], RULES
        )
    ]
    return run_experiment(sweep_one_depth, jobs, VERSION, folder=folder, workers=workers)


def sweep_one_depth(
    *,
    optimizer: str,
    block_depth: int,
    activation: str,
    rule: str,
    depth: int,
    seeds: list[int],
) -> pd.DataFrame:
    """All learning rates and seeds of one network under one rule at one depth."""

    def shape(width: int, depth: int) -> ResNetShape:
        return ResNetShape(128, width, depth, 10, block_depth, activation, mean_subtraction=True)

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
