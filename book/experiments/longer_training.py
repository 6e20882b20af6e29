"""Chapter 25: how far tuned rates move with the length of training and with the batch.

The rules say how numbers change with width and depth, at one number of steps and one batch. Here
both grow, at three widths under the rule for k ≥ 2, and the base's learning rate is swept at each.
"""

from __future__ import annotations

import pandas as pd

from experiments.brief_gpt import BASE_WIDTH, TRAINING, run_of, trained
from experiments.declared import Experiment

STEPS, BATCH_SIZE = TRAINING["steps"], TRAINING["batch_size"]
RULE = "k2"


def train_longer(
    *, optimizer: str, width: int, steps: int, batch_size: int, log2_lr: float, seed: int
) -> pd.DataFrame:
    """One run: its row.

    Columns: the arguments, and ``loss`` on held-out windows after the last step, ``inf`` for a run
    that diverged.
    """
    sizes = {"steps": steps, "batch_size": batch_size}
    _, history = trained(run_of(RULE, optimizer, log2_lr, width=width, seed=seed, **sizes))
    about = {"optimizer": optimizer, "width": width, **sizes, "log2_lr": log2_lr, "seed": seed}
    return pd.DataFrame([{**about, "loss": float(history.loss)}])


_USUAL = {"steps": STEPS, "batch_size": BATCH_SIZE}
# What differs from the usual training, and the grid in which its best rate is looked for.
_CASES: list[tuple[dict[str, int], list[int]]] = [
    ({}, [-10, -9, -8, -7, -6]),
    ({"steps": 4 * STEPS}, [-10, -9, -8, -7, -6]),
    ({"steps": 16 * STEPS}, [-9, -8, -7, -6]),
    ({"batch_size": 4 * BATCH_SIZE}, [-9, -8, -7, -6]),
]
EXPERIMENT = Experiment(
    point=train_longer,
    version=1,
    keys=("optimizer", "width", "steps", "batch_size", "log2_lr", "seed"),
    scales={
        "quick": {
            "optimizer": "adamw",
            "width": BASE_WIDTH,
            "steps": STEPS,
            "batch_size": [BATCH_SIZE, 4 * BATCH_SIZE],
            "log2_lr": -8,
            "seed": 0,
        },
        "reference": [
            {
                "optimizer": "adamw",
                **_USUAL,
                **longer,
                "log2_lr": rates,
                "width": [32, BASE_WIDTH, 128],
                "seed": [0, 1, 2],
            }
            for longer, rates in _CASES
        ],
    },
)
