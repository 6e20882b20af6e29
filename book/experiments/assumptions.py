"""Chapter 7: do updates cancel, over steps, samples or blocks?

Residual networks learn two classes of digits, and on the way the ratios of
:mod:`experiments.instruments.assumptions` are taken. The part ``depth`` has the setting of
zheng2026, App. G, with digits in place of CIFAR-10: full-batch gradient descent on 100 samples of
each class. The other parts vary what it holds fixed, and break what it assumes.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from experiments.declared import Constant, Experiment
from experiments.instruments.assumption_recorder import Recorder
from experiments.instruments.rows import labelled
from specmup.data.images import batch_order, digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.theory.rules import parametrization
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import replica_losses
from specmup.training.scaling import Base, Settings, scale

CLASSES = (3, 8)
MOMENTS = (0, 1, 2, 5, 10, 20, 50, 100, 200)
VARIANCE = 2.0  # σ², over the fan-in for input and hidden maps
# At width and depth 1. SGD's is the rate of zheng2026, App. G; with the others the loss falls about
# as fast. Element-wise optimizers divide the input map's by its fan-in, which no rule varies.
LEARNING_RATE = {"sgd": 0.001, "adamw": 0.01, "muon-kimi": 0.01}


def train_and_measure(
    *,
    part: str,
    optimizer: str = "sgd",
    faster: float = 1,
    block_depth: int = 2,
    mean_subtraction: bool = False,
    zero_last: bool = False,
    bias: float = 0.0,
    samples: int = 100,
    batch: int = 0,
    width: int = 64,
    depth: int = 16,
    steps: int = 200,
    seeds: list[int],
) -> pd.DataFrame:
    """Train one stack of replicas, one a seed, and take every ratio at some of its steps.

    Args:
        part: The question that the run belongs to; only recorded.
        optimizer: With the k = 1 rule for blocks of one map, else with that for k ≥ 2.
        faster: Times the learning rate of this optimizer.
        block_depth: k.
        mean_subtraction: As in the model.
        zero_last: Let the last map of each branch start at zero.
        bias: What the first map of each branch adds at the start; 0 for no biases at all.
        samples: Of each class.
        batch: Samples a step; 0 for all of them.
        width: n.
        depth: L.
        steps: T. Ratios are taken of the updates that follow T and those of ``MOMENTS`` before it.
        seeds: Of initial weights and batches.

    Returns:
        One row a seed, step and watched map; ``inf`` where a number is not finite. Beside what the
        run was, its columns are ``loss``; the exponents with which the blocks' contributions add
        up: ``outputs_add`` of what they give, ``updates_add`` of what this step's own updates
        change in it, ``learned_add`` of what all own updates do, ``grown_add`` of the whole change
        since the start; and, map by map, ``weight`` and ``update`` (norms), ``weight_kept``,
        ``feature_kept``, ``passed_on`` (1 where no activation follows), ``samples_agree``,
        ``against_own``, ``reach``, and of all updates up to this one ``…_straight``, ``…_moved``.
    """
    x, y = two_classes(samples)
    shape = ResNetShape(
        x.shape[1], width, depth, 2, block_depth, "relu", mean_subtraction, bias=bias != 0
    )
    rules = parametrization("k1" if block_depth == 1 else "k2", optimizer)
    rate = faster * LEARNING_RATE[optimizer]
    settings = scale(rules, base(optimizer, rate, x.shape[1]), width=width, depth=depth)
    model = _started(build(shape, settings, seeds), zero_last, bias)
    trainer = replica_optimizer(model, settings, optimizer)
    # A full batch keeps its order: shuffled sums would differ by rounding.
    shown = [batch_order(len(x), batch or len(x), steps + 1, s) for s in seeds]
    record = Recorder(model, x, y, {steps // 2, steps, *(t for t in MOMENTS if t < steps)})
    for step, chosen in enumerate(torch.stack(shown, dim=1)):
        trainer.zero_grad()
        record.before(step)
        chosen = chosen if batch else chosen.sort().values
        replica_losses(model, x[chosen], y[chosen]).sum().backward()
        trainer.step()
        record.after(step)
    frame = record.frame()
    seed = frame.pop("replica").map(dict(enumerate(seeds)))
    about = {"part": part, "optimizer": optimizer, "faster": faster, "block_depth": block_depth}
    branch = {"mean_subtraction": mean_subtraction, "zero_last": zero_last, "bias": float(bias)}
    size = {"samples": samples, "batch": batch, "width": width, "depth": depth}
    return labelled(frame, **about, **branch, **size, seed=seed)


def two_classes(samples: int) -> tuple[Tensor, Tensor]:
    """The first so many training digits of each of two classes: x (2·samples, d), y of 0 and 1.

    Raises:
        ValueError: If there are fewer.
    """
    task = digits()
    found = [(task.train_y == c).nonzero().flatten() for c in CLASSES]
    if min(map(len, found)) < samples:
        raise ValueError(f"{samples} samples of each class: there are {min(map(len, found))}")
    chosen = torch.cat([places[:samples] for places in found])
    return task.train_x[chosen], torch.arange(2).repeat_interleave(samples)


def base(optimizer: str, learning_rate: float, inputs: int) -> Base:
    """The network of width and depth 1 from which the rules scale up."""
    into = learning_rate if optimizer == "sgd" else learning_rate / inputs
    weights = {
        "input": Settings(std=(VARIANCE / inputs) ** 0.5, learning_rate=into),
        "hidden": Settings(std=VARIANCE**0.5, learning_rate=learning_rate),
        "output": Settings(std=VARIANCE**0.5, learning_rate=learning_rate),
    }
    biases = {f"{r}_bias": Settings(0.0, weights[r].learning_rate) for r in ("input", "hidden")}
    return Base(1, 1, weights | biases)


@torch.no_grad()
def _started(model: ResNet, zero_last: bool, bias: float) -> ResNet:
    if zero_last:
        model.hidden[..., -1, :, :] = 0
    if bias:
        model.hidden_bias[..., 0, :] = bias
    return model


_DEPTHS = [4, 8, 16, 32, 64]
_USUAL = {"mean_subtraction": False, "seeds": Constant([0, 1])}
EXPERIMENT = Experiment(
    point=train_and_measure,
    version=1,
    keys=(
        *("part", "optimizer", "faster", "block_depth", "zero_last", "bias", "samples", "batch"),
        *("layer", "width", "depth", "seed", "step"),
    ),
    compared=("samples_agree", "weight_straight", "updates_add"),
    scales={
        "quick": {**_USUAL, "part": "grid", "width": 32, "depth": [4, 8, 16], "steps": 100},
        "reference": [
            {
                "part": "depth",
                "mean_subtraction": False,
                "width": 256,
                # The largest depths bear fewer seeds.
                "depth, seeds": [
                    *((depth, [seed]) for depth in _DEPTHS for seed in (0, 1)),
                    *((depth, [0]) for depth in (128, 256)),
                ],
                "steps": 200,
            },
            {
                "part": "grid",
                "optimizer": ["sgd", "adamw", "muon-kimi"],
                # One map a branch has its mean subtracted.
                "block_depth, mean_subtraction": [(1, True), (2, False)],
                "width": [32, 64, 128],
                "depth": _DEPTHS,
                "steps": 100,
                "seeds": Constant([0, 1]),
            },
            {**_USUAL, "part": "plain relu", "block_depth": 1, "depth": _DEPTHS, "steps": 100},
            {**_USUAL, "part": "batch", "batch": [1, 2, 5, 10, 25, 50, 100, 200]},
            {**_USUAL, "part": "samples", "samples": [1, 2, 5, 10, 25, 50, 100]},
            {**_USUAL, "part": "rate", "faster": [1, 10, 100, 300, 1000]},
            {**_USUAL, "part": "zero last", "zero_last": [False, True], "depth": _DEPTHS},
            {**_USUAL, "part": "bias", "bias": [-1.0, -2.0, -4.0, -6.0, -8.0]},
        ],
    },
)
