"""Chapter 8: does depth pay, and for which non-linearity in which place?

One-map networks learn the last decimal of the sum of two digits, under Depth-μP. Branches start
equally large whatever their activation, so that networks differ in the non-linearity and its place
alone. At every depth the base learning rate is swept, and with it that size at the start.
"""

from __future__ import annotations

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import KEPT, WIDTH, base_of, centred
from specmup.data.images import digit_sums
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.scaling import Base, Settings

INPUTS, BASE_DEPTH = 128, 2
STEPS, BATCH_SIZE = 200, 64


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
    """All learning rates and seeds of one network at one depth.

    Rates go from 2^lowest to 2^highest, doubling; the start is 2^log2_start times the usual. The
    columns are those of a sweep, ``placement`` and ``log2_start``.
    """
    frame = learning_rate_sweep(
        digit_sums(),
        lambda width, depth: centred(width, depth, activation, inputs=INPUTS, placement=placement),
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
    hidden = Settings(std=hidden_std, learning_rate=1.0, multiplier=BASE_DEPTH**-0.5)
    return base_of(BASE_DEPTH, hidden, 1.0, INPUTS)


EXPERIMENT = Experiment(
    point=sweep_one_depth,
    version=1,
    keys=("activation", "placement", "log2_start", "depth", "log2_lr", "seed"),
    scales={
        "quick": {
            "log2_start": 0,
            "depth": [2, 8],
            "placement": ["post", "pre"],
            "activation": "abs",
            "lowest": -9,
            "highest": -8,
            "seeds": Constant([0, 1]),
        },
        "reference": {
            "log2_start": [0, -1, -2],
            "depth": [2, 4, 8, 16, 32, 64],
            "placement": ["post", "pre"],
            "activation": ["abs", "relu"],
            "lowest": -9,
            "highest": -5,
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
