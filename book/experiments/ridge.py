"""Chapter 9: pairs of learning rate and multiplier that train well, under the one-map rule.

Networks of two maps a branch, and of one for comparison, are carried to every depth by the k = 1
rule. At each depth the base learning rate of the hidden maps and the base multiplier are swept.
Input and output maps stay as they were drawn, so the losses speak of the branches alone.
"""

from __future__ import annotations

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import WIDTH, base_of, centred
from specmup.data.images import digits
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.scaling import Base, Settings

BASE_DEPTH = 2
STEPS, BATCH_SIZE = 60, 32


def sweep_one_multiplier(
    *, block_depth: int, depth: int, log2_multiplier: int, rates: tuple[int, int], seeds: list[int]
) -> pd.DataFrame:
    """All learning rates and seeds at one depth and one base multiplier.

    Rates go from 2^lowest to 2^highest, doubling. The columns are those of a sweep, and
    ``log2_multiplier``.
    """
    lowest, highest = rates
    frame = learning_rate_sweep(
        digits(),
        lambda width, depth: centred(width, depth, "relu", block_depth),
        rules=["k1"],
        optimizer="adamw",
        sizes=[(WIDTH, depth)],
        learning_rates=[2.0**e for e in range(lowest, highest + 1)],
        seeds=seeds,
        base=base(2.0**log2_multiplier),
        steps=STEPS,
        batch_size=BATCH_SIZE,
    )
    return frame.assign(log2_multiplier=log2_multiplier)


def base(multiplier: float) -> Base:
    """Two blocks with one multiplier; variance 2/n, which makes up for the half that ReLU cuts."""
    hidden = Settings(std=(2 / WIDTH) ** 0.5, learning_rate=1.0, multiplier=multiplier)
    return base_of(BASE_DEPTH, hidden, learning_rate=0.0)


EXPERIMENT = Experiment(
    point=sweep_one_multiplier,
    version=1,
    keys=("block_depth", "depth", "log2_multiplier", "log2_lr", "seed"),
    scales={
        "quick": {
            "depth": [2, 8],
            "block_depth": 2,
            "log2_multiplier": [-2, -1, 0],
            "rates": (-8, -6),
            "seeds": Constant([0, 1]),
        },
        "reference": {
            "depth": [2, 4, 8, 16, 32, 64],
            "block_depth": [1, 2],
            "log2_multiplier": [-5, -4, -3, -2, -1, 0],
            "rates": (-9, 0),
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
