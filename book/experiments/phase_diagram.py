"""Chapter 8: the plane of depthwise parametrizations, measured point by point.

One-map networks h + L^-α·MS(|Wh|), whose hidden maps alone learn, by Adam with the rate L^-γ. At
each (α, γ) of a grid the four sizes are measured from which :mod:`experiments.reading.phases` tells
the phase. Input and output maps stay as they were drawn: a network whose blocks do not learn
should not look as if it did.
"""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import torch
from torch import Tensor

from experiments.declared import Constant, Experiment
from experiments.instruments.expansion import overall_rms
from experiments.instruments.networks import WIDTH, base_of, centred, depthwise
from experiments.reading.phases import walk_and_trend
from specmup.data.images import digits
from specmup.models.resnet import ResNet, build
from specmup.norms import or_inf
from specmup.runs.results import significant
from specmup.training.resnet import replica_optimizer, train
from specmup.training.scaling import Base, Settings, scale

BATCH_SIZE, SAMPLES = 64, 32
STEPS, RATE = 4, 2.0**-10


def train_and_measure(*, alpha: str, gamma: str, depth: int, seeds: list[int]) -> pd.DataFrame:
    """One stack of replicas, one a seed: the four sizes after a few steps.

    Columns: alpha, gamma, depth, seed; ``start``, the RMS size of h_L at the start; ``change``,
    that of its change in training; ``preactivation``, that of the change of W_l h_{l-1}, over all
    blocks; ``walk`` and ``trend`` of the trained stream. What is not finite is ``inf``.
    """
    task = digits()
    settings = scale(depthwise(alpha, gamma), base(), width=WIDTH, depth=depth)
    model = build(centred(WIDTH, depth, "abs"), settings, seeds)
    x = task.train_x[:SAMPLES]
    with torch.no_grad():
        before, entering = model.features(x), preactivations(model, x)
    trainer = replica_optimizer(model, settings, "adamw")
    train(model, trainer, task, steps=STEPS, batch_size=BATCH_SIZE, seeds=seeds, progress=False)
    with torch.no_grad():
        after = model.features(x)
        moved = overall_rms((preactivations(model, x) - entering).transpose(0, 1).flatten(1, 2))
    walk, trend = walk_and_trend(after)
    sizes = {
        "start": overall_rms(before[-1]),
        "change": overall_rms(after[-1] - before[-1]),
        "preactivation": moved,
        "walk": walk,
        "trend": trend,
    }
    columns = {name: or_inf(v).tolist() for name, v in sizes.items()}
    about = {"alpha": float(Fraction(alpha)), "gamma": float(Fraction(gamma)), "depth": depth}
    return significant(pd.DataFrame({**about, "seed": seeds, **columns}), digits=5)


def preactivations(model: ResNet, x: Tensor) -> Tensor:
    """W_l h_{l-1} of every block of a one-map network, (L, R, batch, n)."""
    stream = model.features(x)
    return torch.stack(
        [h @ maps[0].mT for h, (maps, _) in zip(stream, model.blocks(), strict=False)]
    )


def base() -> Base:
    """A single block. Only hidden maps learn, at a rate that moves features by about a tenth."""
    hidden = Settings(std=WIDTH**-0.5, learning_rate=RATE, epsilon=1e-12)
    return base_of(1, hidden, learning_rate=0.0)


EXPERIMENT = Experiment(
    point=train_and_measure,
    version=1,
    keys=("alpha", "gamma", "depth", "seed"),
    compared=("start", "change", "preactivation", "walk"),
    scales={
        "quick": {
            "depth": [32, 64, 128],
            "alpha": ["1/4", "1/2", "1", "5/4"],
            "gamma": ["-1/4", "1/2"],
            "seeds": Constant([0, 1]),
        },
        "reference": {
            "depth": [32, 64, 128, 256, 512],
            "alpha": ["1/4", "1/2", "3/4", "1", "5/4", "3/2"],
            "gamma": ["-1/2", "-1/4", "0", "1/4", "1/2", "3/4", "1"],
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
