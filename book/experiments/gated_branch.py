"""Chapter 22: what k is for a gated branch, a product of two maps with a third behind it.

To the condition it is a branch of three maps: a term in which some of them moved is as large as the
product of their norms, whether one map reads what another wrote or multiplies it. So k = 3, and the
rule is that for k ≥ 2. If that is so, then under the rule for one map the terms of order 2 and 3
fade next to those of order 1, as L^-1/2 and as L^-1, and under that for two and more they stay.

Residual networks learn digits, with two and three maps in a row and with a gate, from batches of 64
and from one sample a step. Some steps are taken apart by the number of maps that moved
(:mod:`experiments.instruments.expansion`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.expanded_training import LEARNING_RATE, train_expanded
from experiments.instruments.gated import GatedResNet, NormalisedResNet, SiLUGatedResNet
from experiments.instruments.networks import CLASSES, INPUTS, base
from experiments.instruments.rows import labelled
from specmup.data.images import digits
from specmup.models.resnet import ResNet, ResNetShape, build_as
from specmup.theory.rules import parametrization
from specmup.training.scaling import scale

BRANCHES: Mapping[str, tuple[type[ResNet], int]] = {  # with the number of its maps
    "two in a row": (NormalisedResNet, 2),
    "three in a row": (NormalisedResNet, 3),
    "gated": (GatedResNet, 3),
    "gated, SiLU": (SiLUGatedResNet, 3),
}
ORDERS = {1: "first", 2: "second", 3: "third"}


def train_and_expand(
    *,
    branch: str,
    optimizer: str,
    rule: str,
    batch_size: int,
    width: int,
    depth: int,
    seeds: list[int],
    moments: list[int],
) -> pd.DataFrame:
    """Train one stack of replicas, one a seed, and take the steps at ``moments`` apart.

    Columns: branch (of :data:`BRANCHES`), optimizer, rule, batch_size, width, depth, seed, step,
    loss; ``first``, ``second`` and ``third``, the RMS sizes of a typical block's terms of these
    orders, and ``first_sum`` and so on, those of their sums over blocks (two maps have no third);
    ``relative``, the size of a step of the first map next to what it changes.
    """
    task, rules = digits(), parametrization(rule, optimizer)
    settings = scale(rules, base(LEARNING_RATE[optimizer]), width=width, depth=depth)
    network, maps = BRANCHES[branch]
    shape = ResNetShape(INPUTS, width, depth, CLASSES, maps, "linear")
    model = build_as(network, shape, settings, seeds)
    frame = train_expanded(
        model,
        settings,
        optimizer,
        task,
        batch_size=batch_size,
        seeds=seeds,
        moments=moments,
        orders={order: name for order, name in ORDERS.items() if order <= maps},
    )
    if maps < 3:
        frame = frame.assign(third=0.0, third_sum=0.0)
    about = {"branch": branch, "optimizer": optimizer, "rule": rule, "batch_size": batch_size}
    return labelled(frame, **about, width=width, depth=depth)


AXES = {
    "branch": list(BRANCHES),
    "optimizer": ["adamw", "muon-kimi"],
    "rule": ["k1", "k2"],
    "batch_size": [1, 64],
    "seeds": Constant([0, 1, 2, 3, 4]),
    "moments": Constant([1, 2, 3, 5, 10, 20, 50]),
}
EXPERIMENT = Experiment(
    point=train_and_expand,
    version=2,
    keys=("branch", "optimizer", "rule", "batch_size", "width", "depth", "seed", "step"),
    compared=("first", "second", "third"),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {
            "width": 64,
            "depth": [4, 8, 16],
            "branch": ["three in a row", "gated"],
            "optimizer": "adamw",
            "rule": ["k1", "k2"],
            "batch_size": 64,
            "seeds": Constant([0, 1, 2]),
            "moments": Constant([1, 2, 5, 10]),
        },
        "reference": [
            {"width": 64, "depth": [4, 8, 16, 32, 64], **AXES},
            {"width": [32, 128], "depth": 16, **AXES},
        ],
    },
)
