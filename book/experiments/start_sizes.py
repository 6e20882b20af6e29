"""Chapter 8: is it the rule that matters, or how large the base happened to start?

The grid of :mod:`experiments.depth_rules` has one base for all, whose weights start at the
usual size. Here they start 1, 2 and 4 times as large, for ReLU at the base depth and at 16 blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from specmup.data.images import digit_sums
from specmup.models.resnet import ResNetShape
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.training.learning_rates import learning_rate_sweep, ordinary_base
from specmup.training.scaling import Base

WIDTH, BASE_DEPTH = 64, 2
STEPS, BATCH_SIZE = 200, 64
RULES = ("k1", "k2")

# Learning rates go from 2^lowest to 2^highest, doubling; weights are 2^log2_start times as large.
RATES: Mapping[str, tuple[int, int]] = {"adamw": (-9, -5)}
SCALES: Mapping[str, Mapping] = {
    # At higher rates training is so chaotic that rounding decides.
    "slice": {
        "optimizers": ["adamw"],
        "block_depths": [1],
        "log2_starts": [0, 1],
        "depths": [2],
        "highest": -7,
        "seeds": [0, 1],
    },
    "quick": {
        "optimizers": ["adamw"],
        "block_depths": [1],
        "log2_starts": [1],
        "depths": [2],
        "seeds": [0, 1],
    },
    "reference": {
        "optimizers": ["adamw"],
        "block_depths": [1, 2],
        "log2_starts": [0, 1, 2],
        "depths": [2, 16],
        "seeds": [0, 1, 2, 3, 4],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "block_depth", "log2_start", "rule", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale: the columns of a sweep, and ``log2_start``."""
    grid = SCALES[scale_name]
    jobs = [
        {
            "optimizer": optimizer,
            "block_depth": block_depth,
            "depth": depth,
            "log2_start": log2_start,
            "highest": grid.get("highest"),
            "seeds": grid["seeds"],
        }
        for depth, optimizer, block_depth, log2_start in product(
            grid["depths"], grid["optimizers"], grid["block_depths"], grid["log2_starts"]
        )
    ]
    return run_experiment(sweep_one_start, jobs, VERSION, folder=folder, workers=workers)


def sweep_one_start(
    *,
    optimizer: str,
    block_depth: int,
    depth: int,
    log2_start: int,
    seeds: list[int],
    highest: int | None = None,
) -> pd.DataFrame:
    """Learning rates and seeds of one network under both rules, from one size of the start."""
    lowest, most = RATES[optimizer]
    highest = most if highest is None else highest
    frame = learning_rate_sweep(
        digit_sums(),
        lambda width, depth: shape(block_depth, depth),
        rules=RULES,
        optimizer=optimizer,
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=seeds,
        base=base(block_depth, 2.0**log2_start),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )
    return frame.assign(log2_start=log2_start)


def shape(block_depth: int, depth: int) -> ResNetShape:
    """ReLU with its mean subtracted."""
    return ResNetShape(128, WIDTH, depth, 10, block_depth, "relu", mean_subtraction=True)


def base(block_depth: int, start: float) -> Base:
    """The usual base, its hidden weights ``start`` times as large; the updates are not."""
    usual = ordinary_base(shape(block_depth, BASE_DEPTH))
    hidden = usual.settings["hidden"]
    larger = replace(hidden, std=hidden.std * start)
    return replace(usual, settings={**usual.settings, "hidden": larger})
