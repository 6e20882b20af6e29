"""Chapter 8: does depth pay, and for which non-linearity in which place?

One-map networks learn the last decimal of the sum of two digits, under Depth-μP. Branches start
equally large whatever their activation, so that networks differ in the non-linearity and its place
alone. At every depth the base learning rate is swept, and with it that size at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pandas as pd

from experiments.feature_diversity import KEPT, WIDTH, shape
from specmup.data.images import digit_sums
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.scaling import Base, Settings

INPUTS, BASE_DEPTH = 128, 2
STEPS, BATCH_SIZE = 200, 64

# Learning rates go from 2^lowest to 2^highest, doubling; the start is 2^log2_start times the usual.
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [("abs", "post"), ("abs", "pre")],
        "log2_starts": [0],
        "depths": [2, 8],
        "lowest": -9,
        "highest": -8,
        "seeds": [0, 1],
    },
    "reference": {
        "cases": [
            ("abs", "post"),
            ("relu", "post"),
            ("abs", "pre"),
            ("relu", "pre"),
        ],
        "log2_starts": [0, -1, -2],
        "depths": [2, 4, 8, 16, 32, 64],
        "lowest": -9,
        "highest": -5,
        "seeds": [0, 1, 2, 3, 4],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("activation", "placement", "log2_start", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale: the columns of a sweep, ``placement`` and ``log2_start``."""
    grid = SCALES[scale_name]
    jobs = [
        {
            "activation": activation,
            "placement": placement,
            "depth": depth,
            "log2_start": log2_start,
            **{name: grid[name] for name in ("lowest", "highest", "seeds")},
        }
        for log2_start, depth, (activation, placement) in product(
            grid["log2_starts"], grid["depths"], grid["cases"]
        )
    ]
    return run_experiment(sweep_one_depth, jobs, VERSION, folder=folder, workers=workers)


def sweep_one_depth(
    *,
    activation: str,
    placement: str,
    depth: int,
    log2_start: int,
    lowest: int,
    highest: int,
    seeds: list[int],
) -> pd.DataFrame:
    """All learning rates and seeds of one network at one depth."""
    frame = learning_rate_sweep(
        digit_sums(),
        lambda width, depth: shape(depth, activation, placement, INPUTS),
        rules=["k1"],
        optimizer="adamw",
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=seeds,
        base=base(activation, 2.0**log2_start),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )
    return frame.assign(placement=placement, log2_start=log2_start)


def base(activation: str, start: float = 1.0) -> Base:
    """Two blocks, each branch ``start``/√2 of the stream at first, whatever the activation.

    The weights alone are made smaller, so the start is changed and the updates are not.
    """
    hidden_std = start * (WIDTH * KEPT[activation]) ** -0.5
    settings = {
        "input": Settings(std=INPUTS**-0.5, learning_rate=1.0),
        "hidden": Settings(std=hidden_std, learning_rate=1.0, multiplier=BASE_DEPTH**-0.5),
        "output": Settings(std=WIDTH**-0.5, learning_rate=1.0),
    }
    return Base(WIDTH, BASE_DEPTH, settings)
