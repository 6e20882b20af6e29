"""Chapter 8: pairs of learning rate and multiplier that train well, under the one-map rule.

Networks of two maps a branch, and of one for comparison, are carried to every depth by the k = 1
rule. At each depth the base learning rate of the hidden maps and the base multiplier are swept.
Input and output maps stay as they were drawn, so the losses speak of the branches alone.
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

INPUTS, WIDTH, BASE_DEPTH = 64, 64, 2
STEPS, BATCH_SIZE = 60, 32

# Rates and multipliers go from 2^lowest to 2^highest, doubling.
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "block_depths": [2],
        "depths": [2, 8],
        "multipliers": (-2, 0),
        "rates": (-8, -6),
        "seeds": [0, 1],
    },
    "reference": {
        "block_depths": [1, 2],
        "depths": [2, 4, 8, 16, 32, 64],
        "multipliers": (-5, 0),
        "rates": (-9, 0),
        "seeds": [0, 1, 2, 3, 4],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("block_depth", "depth", "log2_multiplier", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale: the columns of a sweep, and ``log2_multiplier``."""
    grid = SCALES[scale_name]
    lowest, highest = grid["multipliers"]
    jobs = [
        {
            "block_depth": block_depth,
            "depth": depth,
            "log2_multiplier": log2_multiplier,
            "rates": grid["rates"],
            "seeds": grid["seeds"],
        }
        for depth, block_depth, log2_multiplier in product(
            grid["depths"], grid["block_depths"], range(lowest, highest + 1)
        )
    ]
    return run_experiment(sweep_one_multiplier, jobs, VERSION, folder=folder, workers=workers)


def sweep_one_multiplier(
    *,
    block_depth: int,
    depth: int,
    log2_multiplier: int,
    rates: tuple[int, int],
    seeds: list[int],
) -> pd.DataFrame:
    """All learning rates and seeds at one depth and one base multiplier."""
    frame = learning_rate_sweep(
        digits(),
        lambda width, depth: ResNetShape(
            INPUTS, width, depth, 10, block_depth, "relu", mean_subtraction=True
        ),
        rules=["k1"],
        optimizer="adamw",
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(rates[0], rates[1] + 1)],
        seeds=seeds,
        base=base(2.0**log2_multiplier),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )
    return frame.assign(log2_multiplier=log2_multiplier)


def base(multiplier: float) -> Base:
    """Two blocks with one multiplier; variance 2/n, which makes up for the half that ReLU cuts."""
    still = Settings(std=WIDTH**-0.5, learning_rate=0.0)
    hidden = Settings(std=(2 / WIDTH) ** 0.5, learning_rate=1.0, multiplier=multiplier)
    return Base(WIDTH, BASE_DEPTH, {"input": still, "hidden": hidden, "output": still})
