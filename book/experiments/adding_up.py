"""Chapter 6: how the terms of a training step add up over the blocks.

A two-map linear ResNet learns digits. Its branches start at the size L^-a: a = 1/2 is the rule for
one map, a = 1 that for two, 3/4 lies between. At some of the steps the change of the features is
taken apart by the number of maps that moved (:mod:`experiments.instruments.expansion`), block by
block and summed over blocks, on the samples that made the step.
"""

from __future__ import annotations

from copy import deepcopy

import pandas as pd
import torch

from experiments.declared import Constant, Experiment
from experiments.instruments.contributions import agreement
from experiments.instruments.expansion import Snapshot, expand_step, relative_step
from experiments.instruments.networks import base, started_at
from experiments.instruments.rows import labelled
from specmup.data.images import batch_order, digits
from specmup.models.resnet import ResNetShape, build
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import replica_losses
from specmup.training.scaling import scale

# Rates at which the base model learns without overshooting.
LEARNING_RATE = {"adamw": 2.0**-8, "muon-kimi": 2.0**-6}
BATCH_SIZE = 64
PROBE_SAMPLES = 16  # of the batch, on which a step is taken apart
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
    trainer = replica_optimizer(model, settings, optimizer)
    orders = [batch_order(len(task.train_x), BATCH_SIZE, max(moments), seed) for seed in seeds]
    frames = []
    for step, chosen in enumerate(torch.stack(orders, dim=1), start=1):
        x, y = task.train_x[chosen], task.train_y[chosen]  # (R, batch, d), (R, batch)
        watched = step in moments
        if watched:
            # Taken apart in double precision: a second-order term is what two differences leave.
            twin, probe = deepcopy(model).double(), x[:, :PROBE_SAMPLES].double()
            before = Snapshot.of(twin, probe)
            cosines = agreement(twin, probe, y[:, :PROBE_SAMPLES])  # (L, R, batch)
        trainer.zero_grad()
        losses = replica_losses(model, x, y)
        losses.sum().backward()
        trainer.step()
        if watched:
            frame = pd.DataFrame({"seed": seeds, "step": step, "loss": losses.tolist()})
            twin.load_state_dict(model.state_dict())
            frame = frame.join(expand_step(twin, before, probe).sizes_by_name(_ORDERS))
            frame["relative"] = relative_step(twin, before).tolist()
            frame["agreement"] = cosines.mean((0, 2)).tolist()
            frame["agreement_rms"] = cosines.square().mean((0, 2)).sqrt().tolist()
            frames.append(frame)
    about = {"power": power, "optimizer": optimizer}
    return labelled(pd.concat(frames, ignore_index=True), **about, width=width, depth=depth)


AXES = {"optimizer": ["adamw", "muon-kimi"], "power": ["1/2", "3/4", "1"]}
SEEDS = Constant([0, 1, 2, 3, 4])
MOMENTS = Constant([1, 2, 3, 5, 8, 13, 20, 32, 50])
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
