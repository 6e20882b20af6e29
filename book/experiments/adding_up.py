"""Chapter 6: how the terms of a training step add up over the blocks.

A two-map linear ResNet learns digits. Its branches start at the size L^-a: a = 1/2 is the rule for
one map, a = 1 that for two, 3/4 lies between. At some of the steps the change of the features is
taken apart by the number of maps that moved (:mod:`experiments.instruments.expansion`), block by
block and summed over blocks, on the samples that made the step.
"""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from experiments.declared import Constant, Experiment
from experiments.instruments.contributions import agreement
from experiments.instruments.expanded_training import LEARNING_RATE, train_expanded
from experiments.instruments.networks import base, started_at
from experiments.instruments.rows import labelled
from specmup.data.images import digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.training.scaling import scale

BATCH_SIZE = 64
_ORDERS = {1: "first", 2: "second"}


def train_and_add(
    *,
    optimizer: str,
    power: str,
    width: int,
    depth: int,
    seeds: list[int],
    moments: list[int],
) -> pd.DataFrame:
    """Train one stack of replicas, one a seed, and take the steps at ``moments`` apart.

    Columns: power, optimizer, width, depth, seed, step, loss; ``first`` and ``second``, the RMS
    sizes of a typical block's terms of order one and two, and ``first_sum``, ``second_sum``, those
    of their sums over blocks; ``relative``, the size of a step of the first map next to what it
    changes; and, before the step, the cosine between what a first map writes and what its second
    reads: ``agreement``, its mean over blocks and samples, and ``agreement_rms``.
    """
    task = digits()
    settings = scale(
        started_at(power, optimizer), base(LEARNING_RATE[optimizer]), width=width, depth=depth
    )
    model = build(
        ResNetShape(task.inputs, width, depth, task.classes, 2, "linear"), settings, seeds
    )
    frame = train_expanded(
        model,
        settings,
        optimizer,
        task,
        batch_size=BATCH_SIZE,
        seeds=seeds,
        moments=moments,
        orders=_ORDERS,
        seen=_agreement,
    )
    about = {"power": power, "optimizer": optimizer}
    return labelled(frame, **about, width=width, depth=depth)


def _agreement(model: ResNet, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    cosines = agreement(model, x, y)  # (L, R, samples)
    return {
        "agreement": cosines.mean((0, 2)),
        "agreement_rms": cosines.square().mean((0, 2)).sqrt(),
    }


AXES = {"optimizer": ["adamw", "muon-kimi"], "power": ["1/2", "3/4", "1"]}
SEEDS = Constant([5, 6, 7, 8, 9])  # 0 to 4 were looked at when the chapter was first written
MOMENTS = Constant([1, 2, 3, 5, 8, 13, 20, 32, 50, 100, 200])
EXPERIMENT = Experiment(
    point=train_and_add,
    version=1,
    keys=("power", "optimizer", "width", "depth", "seed", "step"),
    compared=("first_sum", "second_sum"),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {
            "width": 64,
            "depth": [4, 8, 16],
            "optimizer": "adamw",
            "power": ["1/2", "1"],
            "seeds": SEEDS,
            "moments": Constant([1, 2, 3, 5, 8]),
        },
        "reference": [
            {
                "width": [32, 64],
                "depth": [4, 8, 16, 32, 64, 128],
                **AXES,
                "seeds": SEEDS,
                "moments": MOMENTS,
            },
            {
                "width": 128,
                "depth": [4, 8, 16, 32, 64],
                **AXES,
                "seeds": SEEDS,
                "moments": MOMENTS,
            },
        ],
    },
)
