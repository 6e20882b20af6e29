"""Chapter 9: is it the rule that matters, or how large the base happened to start?

The grid of :mod:`experiments.depth_rules` has one base for all, whose weights start at the
usual size. Here they start 1, 2 and 4 times as large, for ReLU at the base depth and at 16 blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import WIDTH, centred
from specmup.data.images import digit_sums
from specmup.models.resnet import ResNetShape
from specmup.training.learning_rates import learning_rate_sweep, ordinary_base
from specmup.training.scaling import Base

BASE_DEPTH = 2
STEPS, BATCH_SIZE = 200, 64
RULES = ("k1", "k2")

# Learning rates go from 2^lowest to 2^highest, doubling; weights are 2^log2_start times as large.
RATES: Mapping[str, tuple[int, int]] = {"adamw": (-9, -5)}


def sweep_one_start(
    *,
    optimizer: str,
    block_depth: int,
    depth: int,
    log2_start: int,
    seeds: list[int],
    highest: int | None = None,
) -> pd.DataFrame:
    """Learning rates and seeds of one network under both rules, from one size of the start.

    The columns are those of a sweep, and ``log2_start``.
    """
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
    return centred(WIDTH, depth, "relu", block_depth, inputs=128)


def base(block_depth: int, start: float) -> Base:
    """The usual base, its hidden weights ``start`` times as large; the updates are not."""
    usual = ordinary_base(shape(block_depth, BASE_DEPTH))
    hidden = usual.settings["hidden"]
    larger = replace(hidden, std=hidden.std * start)
    return replace(usual, settings={**usual.settings, "hidden": larger})


_ONE = {"depth": 2, "optimizer": "adamw", "block_depth": 1, "seeds": Constant([0, 1])}
EXPERIMENT = Experiment(
    point=sweep_one_start,
    version=1,
    keys=("optimizer", "block_depth", "log2_start", "rule", "depth", "log2_lr", "seed"),
    scales={
        # At higher rates training is so chaotic that rounding decides.
        "slice": {**_ONE, "log2_start": [0, 1], "highest": -7},
        "quick": {**_ONE, "log2_start": 1, "highest": None},
        "reference": {
            "depth": [2, 16],
            "optimizer": "adamw",
            "block_depth": [1, 2],
            "log2_start": [0, 1, 2],
            "highest": None,
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
