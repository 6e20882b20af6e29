"""Training: one loop for a single network and for many stacked ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from specmup.data.images import Task, batch_order
from specmup.models.residual import ResidualNetwork
from specmup.models.resnet import Network, seeds_of
from specmup.norms import or_inf
from specmup.runs.progress import progress_bar
from specmup.streams import stream
from specmup.training.curvature import gauss_newton_bartlett, wants_curvature
from specmup.training.replicas import ReplicaOptimizer, replica_optimizer

__all__ = ["evaluate", "replica_losses", "replica_optimizer", "train"]


def replica_losses(model: ResidualNetwork, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of each replica, shaped (R,), or () for a plain model.

    Args:
        model: Plain or stacked.
        x: Samples (R?, batch, d).
        y: Classes (R?, batch); without R they are shared by all replicas.
    """
    logits = model(x)  # (R?, batch, classes)
    y = y.expand(logits.shape[:-1])
    losses = F.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="none")
    return losses.view(y.shape).mean(-1)


def train(
    model: Network,
    optimizer: ReplicaOptimizer | Optimizer,
    task: Task,
    *,
    steps: int,
    batch_size: int,
    seeds: int | Sequence[int],
    on_step: Callable[[int, Network], object] | None = None,
    progress: bool = True,
) -> Tensor:
    """Minimise the cross-entropy; each replica draws batches of its own.

    The replicas' losses are summed, so the gradient of each holds its own loss only.

    Args:
        model: Plain or stacked; changed in place.
        optimizer: Of the model's parameters, see :func:`replica_optimizer`; for a plain model
            any optimizer of torch will do. One that has a ``curvature_period``, as Sophia does, is
            handed a Gauss–Newton–Bartlett estimate every so many steps.
        task: The data.
        steps: Number of updates.
        batch_size: Samples a step and replica.
        seeds: Decide the batches, one a replica as in :func:`specmup.models.resnet.build`.
        on_step: Called as ``on_step(step, model)`` after each backward pass, before the update:
            weights and gradients belong to ``losses[step]``.
        progress: Show a bar on a terminal.

    Returns:
        Training losses (steps, R), each before its update. A replica has diverged when its loss is
        not finite; from that step on it is ``inf``. The other replicas are not disturbed.

    Raises:
        ValueError: If there is no step, the batch size is not between 1 and the number of training
            samples, or the number of seeds is not the number of replicas.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}: give at least 1")
    orders = [batch_order(len(task.train_x), batch_size, steps, s) for s in seeds_of(model, seeds)]
    order = orders[0] if model.replicas is None else torch.stack(orders, dim=1)
    samples, labels = task.train_x.to(model.input), task.train_y.to(model.input.device)
    generators = [stream("labels", s) for s in seeds_of(model, seeds)]
    losses = []
    for step, chosen in enumerate(progress_bar(order, desc="steps") if progress else order):
        optimizer.zero_grad()
        loss = replica_losses(model, samples[chosen], labels[chosen])
        loss.sum().backward()
        if on_step is not None:
            on_step(step, model)
        if wants_curvature(optimizer, step):
            estimate = gauss_newton_bartlett(model, samples[chosen], generators)
            optimizer.step(curvature=estimate)
        else:
            optimizer.step()
        losses.append(loss.detach().reshape(-1))
    return _inf_once_diverged(torch.stack(losses))


@torch.no_grad()
def evaluate(model: ResidualNetwork, x: Tensor, y: Tensor, *, chunk: int = 256) -> Tensor:
    """Mean cross-entropy of each replica over all samples, shaped (R,); ``inf`` if not finite."""
    x, y = x.to(model.input), y.to(model.input.device)
    parts = zip(x.split(chunk), y.split(chunk), strict=True)
    losses = (replica_losses(model, some_x, some_y) * len(some_y) for some_x, some_y in parts)
    total = sum(losses, start=x.new_zeros(()))
    return or_inf((total / len(y)).reshape(-1))


def _inf_once_diverged(losses: Tensor) -> Tensor:
    diverged = (~losses.isfinite()).cummax(0).values
    return losses.masked_fill(diverged, torch.inf)
