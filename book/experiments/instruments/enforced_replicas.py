"""The condition enforced on stacked models: each replica at a step size of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from specmup.models.resnet import ResNet
from specmup.optimizers.enforced import INNER_LEARNING_RATE
from specmup.optimizers.rescaling import set_step_
from specmup.training.replicas import ReplicaOptimizer, replica_optimizer
from specmup.training.scaling import Settings


class EnforcedReplicas:
    """A replica optimizer whose steps are rescaled; see :func:`enforced_replicas`."""

    def __init__(
        self, model: ResNet, inner: ReplicaOptimizer, settings: Sequence[Mapping[str, Settings]]
    ) -> None:
        """Write down the norm, and the decay, of each replica's matrices."""
        self.inner = inner
        self._parameters = dict(model.named_parameters())
        self._norms, self._keeps = {}, {}
        self._vectors: dict[str, Tensor | None] = {}
        for role, parameter in self._parameters.items():
            stack = _stack(role, parameter.detach())
            each = len(stack) // len(settings)
            own = torch.tensor(
                [[s[role].learning_rate, s[role].weight_decay] for s in settings],
                dtype=torch.float64,
            ).repeat_interleave(each, dim=0)
            self._norms[role] = own[:, 0].to(stack)
            self._keeps[role] = (1 - own[:, 0] * own[:, 1]).to(stack)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.inner.zero_grad()

    @property
    def curvature_period(self) -> int | None:
        """Every how many steps the inner optimizer wants an estimate of the curvature."""
        return self.inner.curvature_period

    @torch.no_grad()
    def step(self, **inner) -> None:
        """Let the library step, then set the norm of what it did.

        Args:
            inner: Arguments of the inner optimizer's ``step``.
        """
        before = {role: p.detach().clone() for role, p in self._parameters.items()}
        self.inner.step(**inner)
        for role, parameter in self._parameters.items():
            self._vectors[role] = set_step_(
                _stack(role, parameter.detach()),
                _stack(role, before[role]),
                self._norms[role],
                keeps=self._keeps[role],
                start=self._vectors.get(role),
            )


def enforced_replicas(
    model: ResNet,
    settings: Mapping[str, Settings] | Sequence[Mapping[str, Settings]],
    name: str,
    *,
    inner_learning_rate: float = INNER_LEARNING_RATE,
    **options,
) -> EnforcedReplicas:
    """A library's optimizer for each replica, with ‖ΔW‖_R = the settings' learning rate.

    Each matrix of each replica is measured and rescaled by itself, as
    :class:`specmup.optimizers.enforced.Enforced` does it for one model.

    Args:
        model: Plain or stacked.
        settings: By role; one mapping a replica, or one for all. The learning rate is the norm of
            the step, the decay is decoupled.
        name: As in :func:`specmup.training.replicas.replica_optimizer`.
        inner_learning_rate: What the library's optimizer gets instead; only its direction is used.
        options: More arguments of :func:`specmup.training.replicas.replica_optimizer`.
    """
    replicas = 1 if model.replicas is None else model.replicas
    each = [settings] * replicas if isinstance(settings, Mapping) else list(settings)
    constant = {"learning_rate": inner_learning_rate, "weight_decay": 0.0}
    directions = [{role: replace(s, **constant) for role, s in own.items()} for own in each]
    return EnforcedReplicas(model, replica_optimizer(model, directions, name, **options), each)


def _stack(role: str, tensor: Tensor) -> Tensor:
    """A view of all matrices (B, n_out, n_in) of all replicas, or vectors (B, n)."""
    last = 1 if role.endswith("bias") else 2
    return tensor.view(-1, *tensor.shape[-last:])
