"""Chapter 8: the plane of depthwise parametrizations, measured point by point.

One-map networks h + L^-α·MS(|Wh|), whose hidden maps alone learn, by Adam with the rate L^-γ. At
each (α, γ) of a grid the four sizes are measured from which :mod:`experiments.reading.phases` tells
the phase. Input and output maps stay as they were drawn: a network whose blocks do not learn
should not look as if it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from experiments.instruments.expansion import overall_rms
from experiments.reading.phases import walk_and_trend
from specmup.data.images import digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.norms import or_inf
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.runs.results import significant
from specmup.theory.order import DEPTH
from specmup.theory.order import WIDTH as N
from specmup.theory.rules import parametrization
from specmup.theory.tables import Rules
from specmup.training.resnet import replica_optimizer, train
from specmup.training.scaling import Base, Settings, scale

WIDTH, BATCH_SIZE, SAMPLES = 64, 64, 32
STEPS, RATE = 4, 2.0**-10

SCALES: Mapping[str, Mapping] = {
    "quick": {
        "alphas": ["1/4", "1/2", "1", "5/4"],
        "gammas": ["-1/4", "1/2"],
        "depths": [32, 64, 128],
        "seeds": [0, 1],
    },
    "reference": {
        "alphas": ["1/4", "1/2", "3/4", "1", "5/4", "3/2"],
        "gammas": ["-1/2", "-1/4", "0", "1/4", "1/2", "3/4", "1"],
        "depths": [32, 64, 128, 256, 512],
        "seeds": [0, 1, 2, 3, 4],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("alpha", "gamma", "depth", "seed")
COMPARED = ("start", "change", "preactivation", "walk")


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale: the columns of :func:`train_and_measure`."""
    grid = SCALES[scale_name]
    jobs = [
        {"alpha": alpha, "gamma": gamma, "depth": depth, "seeds": grid["seeds"]}
        for depth, alpha, gamma in product(grid["depths"], grid["alphas"], grid["gammas"])
    ]
    return run_experiment(train_and_measure, jobs, VERSION, folder=folder, workers=workers)


def depthwise(alpha: Fraction | str, gamma: Fraction | str) -> Rules:
    """AdamW's rules for one map a branch, with the multiplier L^-α and the hidden rate L^-γ."""
    multiplier = DEPTH ** -Fraction(alpha)
    return parametrization("k1", "adamw").changed(
        "hidden",
        multiplier=multiplier,
        learning_rate=N**-1 * DEPTH ** -Fraction(gamma),
        epsilon=N**-1 * multiplier,  # of the size of the gradient
    )


def train_and_measure(*, alpha: str, gamma: str, depth: int, seeds: list[int]) -> pd.DataFrame:
    """One stack of replicas, one a seed: the four sizes after a few steps.

    Columns: alpha, gamma, depth, seed; ``start``, the RMS size of h_L at the start; ``change``,
    that of its change in training; ``preactivation``, that of the change of W_l h_{l-1}, over all
    blocks; ``walk`` and ``trend`` of the trained stream. What is not finite is ``inf``.
    """
    task = digits()
    settings = scale(depthwise(alpha, gamma), base(), width=WIDTH, depth=depth)
    model = build(shape(depth), settings, seeds)
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


def shape(depth: int) -> ResNetShape:
    """A network for digits: one map a branch, absolute value, its mean subtracted."""
    return ResNetShape(64, WIDTH, depth, 10, 1, "abs", mean_subtraction=True)


def base() -> Base:
    """A single block. Only hidden maps learn, at a rate that moves features by about a tenth."""
    still = Settings(std=WIDTH**-0.5, learning_rate=0.0)
    hidden = Settings(std=WIDTH**-0.5, learning_rate=RATE, epsilon=1e-12)
    return Base(WIDTH, 1, {"input": still, "hidden": hidden, "output": still})
