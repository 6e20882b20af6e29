"""Chapter 5: the best learning rate of one-map networks, over depth, under three rules.

Residual networks whose branch holds one map learn digits at constant width. Each rule carries the
base model's settings to each depth, and the base learning rate is swept. ``abs`` stands for
h + α·MS(|Wh|), where MS subtracts the mean over the width: the network of yang2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pandas as pd

from specmup.data.images import digits
from specmup.models.resnet import ResNetShape
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.scaling import Base, Settings

WIDTH, BASE_DEPTH = 64, 4
RULES = ("sp", "k1", "k2")
STEPS, BATCH_SIZE = 50, 32

# A case: optimizer, activation, and its learning rates from 2^lowest to 2^highest, doubling.
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [
            {"optimizer": "adamw", "activation": "abs", "lowest": -11, "highest": -9, "seeds": 2},
        ],
        "depths": [4, 16],
    },
    "reference": {
        "cases": [
            {"optimizer": "adamw", "activation": "abs", "lowest": -11, "highest": -4, "seeds": 5},
            {"optimizer": "sgd", "activation": "abs", "lowest": -8, "highest": 1, "seeds": 5},
            {
                "optimizer": "adamw",
                "activation": "linear",
                "lowest": -11,
                "highest": -4,
                "seeds": 5,
            },
            {"optimizer": "sgd", "activation": "linear", "lowest": -8, "highest": 1, "seeds": 5},
            {
                "optimizer": "muon-kimi",
                "activation": "abs",
                "lowest": -9,
                "highest": -4,
                "seeds": 3,
            },
        ],
        "depths": [4, 8, 16, 32, 64],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "activation", "rule", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale, with the columns of ``learning_rate_sweep``."""
    grid = SCALES[scale_name]
    jobs = [
        {**case, "rule": rule, "depth": depth}
        for case, rule, depth in product(grid["cases"], RULES, grid["depths"])
    ]
    return run_experiment(sweep_one_depth, jobs, VERSION, folder=folder, workers=workers)


def sweep_one_depth(
    *,
    optimizer: str,
    activation: str,
    lowest: int,
    highest: int,
    seeds: int,
    rule: str,
    depth: int,
) -> pd.DataFrame:
    """All learning rates and seeds of one rule at one depth."""
    return learning_rate_sweep(
        digits(),
        lambda width, depth: shape(width, depth, activation),
        rules=[rule],
        optimizer=optimizer,
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=list(range(seeds)),
        base=base(),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )


def shape(width: int, depth: int, activation: str) -> ResNetShape:
    """A network for digits with one map a branch; the mean is subtracted unless it is linear."""
    return ResNetShape(
        inputs=64,
        width=width,
        depth=depth,
        outputs=10,
        block_depth=1,
        activation=activation,
        mean_subtraction=activation != "linear",
    )


def base() -> Base:
    """The base model: multiplier 1/√L_base, entries of variance 1/fan-in, a learning rate of 1."""
    weight = Settings(std=WIDTH**-0.5, learning_rate=1.0)  # digits have 64 inputs, as many as n
    hidden = Settings(std=WIDTH**-0.5, learning_rate=1.0, multiplier=BASE_DEPTH**-0.5)
    return Base(WIDTH, BASE_DEPTH, {"input": weight, "hidden": hidden, "output": weight})
