"""Chapters 1 and 3: where the best learning rate lies, over width and over depth.

ReLU residual networks with two maps a branch pass once through the digits. Each rule carries one
base model to every size, and the base learning rate is swept. Over the width k1 is left out: at the
base depth its factors are those of k2.
"""

from __future__ import annotations

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import BASE_DEPTH, BASE_WIDTH, base, shape
from specmup.data.images import digits
from specmup.training.learning_rates import learning_rate_sweep

# One pass through the 1437 training images: no image is seen twice.
STEPS, BATCH_SIZE = 89, 16


def sweep_one_size(
    *,
    optimizer: str,
    rule: str,
    width: int,
    depth: int,
    lowest: int,
    highest: int,
    seeds: list[int],
) -> pd.DataFrame:
    """All learning rates, from 2^lowest to 2^highest, and seeds of one rule at one size."""
    return learning_rate_sweep(
        digits(),
        shape,
        rules=[rule],
        optimizer=optimizer,
        sizes=[(width, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=seeds,
        base=base(),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )


def slice_along(
    frame: pd.DataFrame, axis: str, rule: str, optimizer: str = "adamw"
) -> pd.DataFrame:
    """The rows of one rule along ``width`` (at the base depth) or ``depth`` (at the base width).

    Rows of depth 4 are those over the width. Over the depth, the runs at the base size stand for
    all three rules, which agree there.
    """
    at_base = frame.depth == BASE_DEPTH if axis == "width" else frame.width == BASE_WIDTH
    rows = frame[at_base & (frame.optimizer == optimizer)]
    # At the base size all rules are one; its runs are stored under sp and k2.
    other = rows.rule.eq("k2") & rows.width.eq(BASE_WIDTH) & rows.depth.eq(BASE_DEPTH)
    if rule == "k1":
        return rows[rows.rule.eq("k1") | other].assign(rule="k1")
    return rows[rows.rule == rule]


_ADAMW = {"optimizer": "adamw", "lowest": -15, "highest": -4}
_SEEDS = {"seeds": Constant([0, 1, 2, 3, 4])}
_WIDTHS = {"width": [32, 64, 128, 256, 512], "depth": BASE_DEPTH, "rule": ["sp", "k2"]}
_DEPTHS = {"width": BASE_WIDTH, "depth": [8, 16, 32, 64], "rule": ["sp", "k1", "k2"]}
EXPERIMENT = Experiment(
    point=sweep_one_size,
    version=1,
    keys=("optimizer", "rule", "width", "depth", "log2_lr", "seed"),
    smallest_first=True,
    scales={
        "quick": {
            **(_ADAMW | _WIDTHS),
            **{"width": [32, 64, 128], "lowest": -12, "highest": -8, "seeds": Constant([0, 1])},
        },
        "reference": [
            _ADAMW | _WIDTHS | _SEEDS,
            _ADAMW | _DEPTHS | _SEEDS,
            {"optimizer": "sgd", "lowest": -9, "highest": -1} | _WIDTHS | _SEEDS,
        ],
    },
)
