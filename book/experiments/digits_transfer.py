"""Chapters 1 and 3: where the best learning rate lies, over width and over depth.

ReLU residual networks with two maps a branch pass once through the digits. Each rule carries one
base model to every size, and the base learning rate is swept. Over the width k1 is left out: at the
base depth its factors are those of k2.
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

INPUTS, CLASSES = 64, 10
BASE_WIDTH, BASE_DEPTH = 64, 4
# One pass through the 1437 training images: no image is seen twice.
STEPS, BATCH_SIZE = 89, 16

# A case: an optimizer, its learning rates from 2^lowest to 2^highest, and the axes that it is
# swept over, each with its sizes and rules. The other size stays that of the base.
WIDTHS = {"widths": [32, 64, 128, 256, 512], "rules": ["sp", "k2"]}
DEPTHS = {"depths": [8, 16, 32, 64], "rules": ["sp", "k1", "k2"]}
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [
            {
                "optimizer": "adamw",
                "lowest": -12,
                "highest": -8,
                "axes": [{"widths": [32, 64, 128], "rules": ["sp", "k2"]}],
            }
        ],
        "seeds": [0, 1],
    },
    "reference": {
        "cases": [
            {"optimizer": "adamw", "lowest": -15, "highest": -4, "axes": [WIDTHS, DEPTHS]},
            {"optimizer": "sgd", "lowest": -9, "highest": -1, "axes": [WIDTHS]},
        ],
        "seeds": [0, 1, 2, 3, 4],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "rule", "width", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale, with the columns of ``learning_rate_sweep``.

    Rows of depth 4 are those over the width. Over the depth, the runs at the base size stand for
    all three rules, which agree there.
    """
    grid = SCALES[scale_name]
    jobs = [
        {
            "optimizer": case["optimizer"],
            "rule": rule,
            "width": width,
            "depth": depth,
            "lowest": case["lowest"],
            "highest": case["highest"],
            "seeds": grid["seeds"],
        }
        for case in grid["cases"]
        for axis in case["axes"]
        for width, depth, rule in product(
            axis.get("widths", [BASE_WIDTH]), axis.get("depths", [BASE_DEPTH]), axis["rules"]
        )
    ]
    jobs.sort(key=lambda job: job["width"] ** 2 * job["depth"])
    return run_experiment(sweep_one_size, jobs, VERSION, folder=folder, workers=workers)


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
    """All learning rates and seeds of one rule at one size."""
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


def shape(width: int, depth: int) -> ResNetShape:
    """A ReLU network for digits with two maps a branch."""
    return ResNetShape(INPUTS, width, depth, CLASSES, block_depth=2, activation="relu")


def base() -> Base:
    """The base model: entries of variance 1/fan-in, branches times 1/√L_base, one learning rate.

    The learning rate is 1, so that a swept rate is the rate itself.
    """
    first = Settings(std=INPUTS**-0.5, learning_rate=1.0)
    last = Settings(std=BASE_WIDTH**-0.5, learning_rate=1.0)
    hidden = Settings(std=BASE_WIDTH**-0.5, learning_rate=1.0, multiplier=BASE_DEPTH**-0.5)
    return Base(BASE_WIDTH, BASE_DEPTH, {"input": first, "hidden": hidden, "output": last})


def over(frame: pd.DataFrame, axis: str, rule: str, optimizer: str = "adamw") -> pd.DataFrame:
    """The rows of one rule along ``width`` (at the base depth) or ``depth`` (at the base width)."""
    at_base = frame.depth == BASE_DEPTH if axis == "width" else frame.width == BASE_WIDTH
    rows = frame[at_base & (frame.optimizer == optimizer)]
    # At the base size all rules are one; its runs are stored under sp and k2.
    other = rows.rule.eq("k2") & rows.width.eq(BASE_WIDTH) & rows.depth.eq(BASE_DEPTH)
    if rule == "k1":
        return rows[rows.rule.eq("k1") | other].assign(rule="k1")
    return rows[rows.rule == rule]
