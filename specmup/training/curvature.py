"""An estimate of the Hessian's diagonal, for optimizers that divide by one (Sophia)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TakesCurvature(Protocol):
    """An optimizer that is handed an estimate every ``curvature_period`` steps."""

    @property
    def curvature_period(self) -> int:
        """How many steps lie between the estimates."""

    def step(self, *, curvature: Mapping[Tensor, Tensor]) -> object:
        """One step with an estimate for every parameter."""


def wants_curvature(optimizer: object, step: int) -> TypeGuard[TakesCurvature]:
    """Whether an optimizer is to be handed an estimate at this step; most never are."""
    period = getattr(optimizer, "curvature_period", None)
    return period is not None and step % period == 0


def gauss_newton_bartlett(
    model: nn.Module, x: Tensor, generators: Sequence[torch.Generator], parts: int = 1
) -> dict[Tensor, Tensor]:
    """B·ĝ² for every parameter: ĝ is the gradient of the mean loss on labels that the model drew.

    With labels from the model's own softmax, gradients of single samples have mean zero and are
    independent, so B·E[ĝ²] is the mean squared gradient of one sample, which is the diagonal of the
    Gauss–Newton matrix (Bartlett's identity; liu2023, Algorithm 2).

    Args:
        model: Gives logits (R?, batch, classes); its gradients are not touched.
        x: Samples (R?, batch, …).
        generators: One a replica, for its labels. So a replica does not depend on its company.
        parts: In how many parts the batch is worked through, to save memory.
    """
    parameters, batch = list(model.parameters()), 0
    gradients: tuple[Tensor, ...] = ()
    for some in x.chunk(parts, dim=-2):
        loss, samples = _loss_on_drawn_labels(model(some), generators)
        batch += samples
        found = torch.autograd.grad(loss, parameters)
        gradients = torch._foreach_add(gradients, found) if gradients else found
    return {p: g.square() / batch for p, g in zip(parameters, gradients, strict=True)}


def _loss_on_drawn_labels(
    logits: Tensor, generators: Sequence[torch.Generator]
) -> tuple[Tensor, int]:
    """The sum () of the losses on labels from the softmax of logits (R?, batch, classes), batch."""
    sums = logits.detach().softmax(-1).cumsum(-1)
    each = [torch.rand(*sums.shape[-2:-1], 1, generator=g).to(sums) for g in generators]
    draws = torch.stack(each).view(*sums.shape[:-1], 1)
    labels = (draws > sums).sum(-1).clamp(max=sums.shape[-1] - 1)  # (R?, batch)
    loss = F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="sum")
    return loss, logits.shape[-2]
