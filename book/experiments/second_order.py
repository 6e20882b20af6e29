"""Chapter 6: how large the second-order term of a step is, along training.

A two-map linear ResNet learns digits, under the k = 1 and under the k ≥ 2 rule. At every step the
change of its features is taken apart by the number of maps that moved
(:mod:`experiments.instruments.expansion`), once for the single step, on the batch that made it, and
once for everything since the start, on fixed samples.
"""

from __future__ import annotations

import pandas as pd
import torch
from torch import Tensor

from experiments.declared import Constant, Experiment
from experiments.instruments.expanded_training import LEARNING_RATE, PROBE_SAMPLES
from experiments.instruments.expansion import Snapshot, attained_second_order, expand_step
from experiments.instruments.networks import base
from experiments.instruments.rows import labelled
from specmup.data.images import Task, batch_order, digits
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.theory.rules import parametrization
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import replica_losses
from specmup.training.scaling import scale


def train_and_expand(
    *,
    optimizer: str,
    rule: str,
    batch_size: int,
    width: int,
    depth: int,
    seeds: list[int],
    steps: int,
) -> pd.DataFrame:
    """Train one stack of replicas, one a seed, and take every step apart.

    Columns: rule, optimizer, batch_size, width, depth, seed, step, loss, and for the single step
    (``step_``) and for everything since the start (``total_``): ``first`` and ``second``, the RMS
    sizes of a typical block's terms of order one and two, and ``attained``, the second-order term
    over the product of norms that bounds it.
    """
    task = digits()
    settings = scale(
        parametrization(rule, optimizer), base(LEARNING_RATE[optimizer]), width=width, depth=depth
    )
    model = build(
        ResNetShape(task.inputs, width, depth, task.classes, 2, "linear"), settings, seeds
    )
    trainer = replica_optimizer(model, settings, optimizer)
    orders = [batch_order(len(task.train_x), batch_size, steps, seed) for seed in seeds]
    fixed = task.train_x[:PROBE_SAMPLES]
    start = Snapshot.of(model, fixed)
    frames = []
    for step, chosen in enumerate(torch.stack(orders, dim=1), start=1):
        x = task.train_x[chosen]  # (R, batch, d)
        probe = x[:, :PROBE_SAMPLES]
        before = Snapshot.of(model, probe)
        losses = _update(model, trainer, task, x, chosen)
        frame = pd.DataFrame({"seed": seeds, "step": step, "loss": losses.tolist()})
        for kind, snapshot, samples in (("step", before, probe), ("total", start, fixed)):
            expansion = expand_step(model, snapshot, samples)
            sizes = expansion.sizes().pivot(index="replica", columns="order", values="block")
            frame[f"{kind}_first"], frame[f"{kind}_second"] = sizes[1], sizes[2]
            attained = attained_second_order(expansion, model, snapshot)
            frame[f"{kind}_attained"] = attained.tolist()
        frames.append(frame)
    about = {"rule": rule, "optimizer": optimizer, "batch_size": batch_size}
    return labelled(pd.concat(frames, ignore_index=True), **about, width=width, depth=depth)


def _update(model: ResNet, trainer, task: Task, x: Tensor, chosen: Tensor) -> Tensor:
    trainer.zero_grad()
    losses = replica_losses(model, x, task.train_y[chosen])
    losses.sum().backward()
    trainer.step()
    return losses.detach()


EXPERIMENT = Experiment(
    point=train_and_expand,
    version=1,
    keys=("rule", "optimizer", "batch_size", "width", "depth", "seed", "step"),
    compared=("step_first", "step_second"),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {
            "width": 64,
            "depth": [4, 8, 16, 32],
            "optimizer": "muon-kimi",
            "batch_size": 64,
            "rule": ["k1", "k2"],
            "seeds": Constant([0, 1, 2]),
            "steps": 10,
        },
        "reference": {
            "width": [64, 128, 256, 512],
            "depth": [4, 8, 16, 32, 64],
            "optimizer": ["adamw", "muon-kimi"],
            "batch_size": [1, 64],
            "rule": ["k1", "k2"],
            "seeds": Constant([0, 1, 2, 3, 4]),
            "steps": 20,
        },
    },
)
