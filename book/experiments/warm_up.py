"""Chapter 25: whether more steps move the best rate, or the longer warm-up that they bring.

A warm-up that is a tenth of the training grows with it. Here it does not: four times the steps keep
the usual warm-up, and the usual steps take that of four times as many.
"""

from __future__ import annotations

import pandas as pd

from experiments.brief_gpt import TRAINING, run_of, trained
from experiments.declared import Experiment

STEPS, WARM_UP = TRAINING["steps"], TRAINING["warm_up"]


def train_warm_up(*, steps: int, warm_up: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run of AdamW at the base: its row.

    Columns: the arguments, and ``loss`` on held-out windows after the last step, ``inf`` for a run
    that diverged.
    """
    run = run_of("k2", "adamw", log2_lr, seed=seed, steps=steps, warm_up=warm_up)
    _, history = trained(run)
    about = {"steps": steps, "warm_up": warm_up, "log2_lr": log2_lr, "seed": seed}
    return pd.DataFrame([{**about, "loss": float(history.loss)}])


EXPERIMENT = Experiment(
    point=train_warm_up,
    version=1,
    keys=("steps", "warm_up", "log2_lr", "seed"),
    scales={
        "quick": {"steps": STEPS, "warm_up": 4 * WARM_UP, "log2_lr": -8, "seed": 0},
        "reference": {
            "steps, warm_up": [(STEPS, 4 * WARM_UP), (4 * STEPS, WARM_UP)],
            "log2_lr": [-9, -8, -7, -6],
            "seed": [0, 1, 2],
        },
    },
)
