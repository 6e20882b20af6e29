"""Chapter 9: which rule serves a network that holds branches of one and of two maps.

Residual networks learn the last decimal of the sum of two digits, at constant width. Blocks of one
and of two maps take turns, or every block holds one of each in parallel. A rule gives each branch
that of its own block depth, or all of them the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.mixed import MixedResNet, MixedShape, Pattern
from experiments.instruments.rows import labelled
from specmup.data.images import digit_sums
from specmup.models.resnet import build_as
from specmup.theory.rules import parametrization
from specmup.training.learning_rates import ordinary_base
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import evaluate, train
from specmup.training.scaling import Settings, scale

WIDTH, BASE_DEPTH = 64, 2
STEPS, BATCH_SIZE = 200, 64

PATTERNS: Mapping[str, Pattern] = {"in turn": ((1,), (2,)), "parallel": ((1, 2),)}
# ``own`` gives each branch the rule of its own block depth.
RULES = ["own", "k1", "k2"]

# Learning rates from 2^lowest to 2^highest, doubling.
RATES: Mapping[str, tuple[int, int]] = {"adamw": (-10, -6), "sgd": (-4, 0)}


def sweep_one_depth(
    *, optimizer: str, pattern: str, activation: str, rule: str, depth: int, seeds: list[int]
) -> pd.DataFrame:
    """All learning rates and seeds of one network under one rule at one depth.

    A row a run, with the final loss on the whole training set.
    """
    task, (lowest, highest) = digit_sums(), RATES[optimizer]
    network = shape(pattern, activation, depth)
    log2_lr, own_seeds = zip(*product(range(lowest, highest + 1), seeds), strict=True)
    each = [settings(network, rule, optimizer, 2.0**rate) for rate in log2_lr]
    model = build_as(MixedResNet, network, each[0], own_seeds)
    losses = train(
        model,
        replica_optimizer(model, each, optimizer),
        task,
        steps=STEPS,
        batch_size=BATCH_SIZE,
        seeds=own_seeds,
        progress=False,
    )
    final = evaluate(model, task.train_x, task.train_y).masked_fill(losses[-1].isinf(), math.inf)
    rates = [float(rate) for rate in log2_lr]
    frame = pd.DataFrame({"log2_lr": rates, "seed": own_seeds, "loss": final.tolist()})
    about = {"optimizer": optimizer, "pattern": pattern, "activation": activation}
    return labelled(frame, **about, rule=rule, depth=depth)


def shape(pattern: str, activation: str, depth: int) -> MixedShape:
    """The network of a named pattern; every activation is followed by mean subtraction."""
    return MixedShape(
        *(128, WIDTH, depth, 10),
        pattern=PATTERNS[pattern],
        activation=activation,
        mean_subtraction=True,
    )


def settings(
    network: MixedShape, rule: str, optimizer: str, learning_rate: float
) -> dict[str, Settings]:
    """The base carried to the network's size, every role by its rule; the ends' is always one.

    Args:
        network: The target.
        rule: One of :data:`RULES`.
        optimizer: A name of :data:`specmup.theory.update.LAWS`.
        learning_rate: The base's.
    """
    base = ordinary_base(replace(network, depth=BASE_DEPTH))
    base = base.at_learning_rate(learning_rate)
    carried = {
        name: scale(
            parametrization(name, optimizer), base, width=network.width, depth=network.depth
        )
        for name in ("k1", "k2")
    }
    hidden = {
        f"hidden{k}": carried[f"k{min(k, 2)}" if rule == "own" else rule]["hidden"]
        for k in network.branches
    }
    return {"input": carried["k2"]["input"], **hidden, "output": carried["k2"]["output"]}


EXPERIMENT = Experiment(
    point=sweep_one_depth,
    version=1,
    keys=("optimizer", "pattern", "activation", "rule", "depth", "log2_lr", "seed"),
    scales={
        "quick": {
            "depth": 4,
            "pattern": "in turn",
            "optimizer": "adamw",
            "activation": "relu",
            "rule": RULES,
            "seeds": Constant([0, 1]),
        },
        "reference": {
            "depth": [2, 4, 8, 16],
            "pattern": ["in turn", "parallel"],
            "optimizer": ["adamw", "sgd"],
            "activation": ["relu", "abs"],
            "rule": RULES,
            "seeds": Constant([0, 1, 2, 3, 4]),
        },
    },
)
