"""Training of replicas, some of whose steps are taken apart by the number of maps that moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import pandas as pd
import torch
from torch import Tensor

from experiments.instruments.expansion import Snapshot, expand_step, relative_step
from specmup.data.images import Task, batch_order
from specmup.models.resnet import ResNet
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import replica_losses
from specmup.training.scaling import Settings

# Rates at which the base model learns without overshooting.
LEARNING_RATE = {"adamw": 2.0**-8, "muon-kimi": 2.0**-6}
PROBE_SAMPLES = 16  # of the batch, on which a step is taken apart
Seen = Callable[[ResNet, Tensor, Tensor], Mapping[str, Tensor]]


def train_expanded(
    model: ResNet,
    settings: Mapping[str, Settings],
    optimizer: str,
    task: Task,
    *,
    batch_size: int,
    seeds: Sequence[int],
    moments: Sequence[int],
    orders: Mapping[int, str],
    seen: Seen = lambda *_: {},
) -> pd.DataFrame:
    """Train a stack of replicas, one a seed, and take the steps at ``moments`` apart.

    Args:
        model: With R replicas; changed in place.
        settings: By role.
        optimizer: Its name.
        task: Whose batches, of ``batch_size`` samples, each replica sees in its own order.
        batch_size: Of a step.
        seeds: R, of the orders of samples.
        moments: Steps, from 1.
        orders: Names of the orders that are wanted.
        seen: Further columns, each of R numbers, from the model before the step and the samples
            x (R, samples, d) and y on which the step is taken apart, in double precision.

    Returns:
        Columns: seed, step, loss; for each order, its name, the RMS size of a typical block's terms
        of it, and its name with ``_sum``, that of their sum over blocks; ``relative``, the size of
        a step of the first map next to what it changes; and what was ``seen``.
    """
    trainer = replica_optimizer(model, settings, optimizer)
    chosen_by = [batch_order(len(task.train_x), batch_size, max(moments), seed) for seed in seeds]
    frames = []
    for step, chosen in enumerate(torch.stack(chosen_by, dim=1), start=1):
        x, y = task.train_x[chosen], task.train_y[chosen]  # (R, batch, d), (R, batch)
        watched = step in moments
        if watched:
            # In double precision: a term of high order is what many differences leave.
            twin, probe = deepcopy(model).double(), x[:, :PROBE_SAMPLES].double()
            before = Snapshot.of(twin, probe)
            also = seen(twin, probe, y[:, :PROBE_SAMPLES])
        trainer.zero_grad()
        losses = replica_losses(model, x, y)
        losses.sum().backward()
        trainer.step()
        if watched:
            twin.load_state_dict(model.state_dict())
            frame = pd.DataFrame({"seed": seeds, "step": step, "loss": losses.tolist()})
            frame = frame.join(expand_step(twin, before, probe).sizes_by_name(orders))
            frame["relative"] = relative_step(twin, before).tolist()
            frames.append(frame.assign(**{name: one.tolist() for name, one in also.items()}))
    return pd.concat(frames, ignore_index=True)
