"""Library optimizers, corrected where they depart from their update law.

Each class changes as little as it can of the library's, and says what. ``pytorch_optimizer`` is
version 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps

import pytorch_optimizer
import torch
from torch import Tensor
from torch.optim import Optimizer

from specmup.optimizers.steps import Closure, evaluated, with_gradients


class Copyable:
    """``deepcopy`` and ``pickle`` keep the settings that a library stores on the object.

    torch's own keep them all in the groups, and its ``__getstate__`` forgets everything else.
    """

    def __getstate__(self) -> dict:
        """All attributes but what torch hangs on an instance: hooks, and a scheduler's ``step``."""
        return {
            key: value
            for key, value in self.__dict__.items()
            if key != "step" and not key.startswith("_optimizer")
        }


def finite_only(step: Callable) -> Callable:
    """Divergence is data: a matrix whose gradient is not finite becomes NaN, and others go on.

    Decompositions raise on such numbers, which would stop the matrices that are well.

    Args:
        step: An optimizer's method ``step``; the one returned evaluates a closure itself.
    """

    @wraps(step)
    @torch.no_grad()
    def guarded(self: Optimizer, closure: Closure = None) -> float | None:
        loss = evaluated(closure)
        lost = [(p, p.grad) for group in self.param_groups for p in _lost(group["params"])]
        for parameter, _ in lost:
            parameter.fill_(math.nan)
            parameter.grad = None
        step(self)
        for parameter, gradient in lost:
            parameter.grad = gradient
        return loss

    return guarded


def _lost(parameters: list[Tensor]) -> list[Tensor]:
    """Those whose gradient's squares overflow, if only after a thousand are added up."""
    live = with_gradients(parameters)
    if not live:
        return []
    norms = torch.stack(torch._foreach_norm([gradient for _, gradient in live]))
    bound = math.sqrt(torch.finfo(norms.dtype).max) / 1e3
    return [p for (p, _), norm in zip(live, norms.tolist(), strict=True) if not norm < bound]


class Lion(Copyable, pytorch_optimizer.Lion):
    """The library's, as it is."""


class Adopt(Copyable, pytorch_optimizer.ADOPT):
    """The library's, as it is. Its first step only fills v: it decays, and moves nothing else."""


class Lamb(Copyable, pytorch_optimizer.Lamb):
    """Without the clamp that cuts ‖W‖_F off at 10."""

    clamp = math.inf


class ClampedLamb(Copyable, pytorch_optimizer.Lamb):
    """With the library's clamp: ‖W‖_F is cut off at 10."""


class Soap(Copyable, pytorch_optimizer.SOAP):
    """The library's. Its first step only fills the statistics: nothing moves, nothing decays.

    The eigenbasis is renewed every ``precondition_frequency`` steps, 10 by default, by one step of
    orthogonal iteration that is rounded to float32. In between, and under noise, entries that the
    law counts as zero are not; where only rounding is left of them, ε must be larger than it, or
    they come out as large as the others.
    """

    step = finite_only(pytorch_optimizer.SOAP.step)


class Sophia(Copyable, pytorch_optimizer.SophiaH):
    """Clipped steps m/max(h, ε) whose curvature h is an average of what ``step`` is handed.

    The library would estimate the Hessian by Hutchinson's method at the first step and at every
    tenth after it, unless one is given at that very step. Here nothing is estimated within; between
    the estimates that it is handed, h stays as it is.
    """

    @property
    def curvature_period(self) -> int:
        """How many steps lie between the estimates that it wants."""
        return self.update_period

    def step(  # type: ignore[override]  # takes the curvature by parameter, where it is optional
        self, closure: Closure = None, curvature: Mapping[Tensor, Tensor] | None = None
    ) -> float | None:
        """One step.

        Args:
            closure: Computes the loss and the gradients.
            curvature: An estimate of the Hessian's diagonal for every parameter, or None. Before
                the first estimate h is zero, and every step is a sign.
        """
        parameters = [p for group in self.param_groups for p in group["params"]]
        hessian = None if curvature is None else [curvature[p] for p in parameters]
        loss = super().step(closure, hessian)
        for state in self.state.values():
            state.pop("hessian", None)  # or it would be averaged in once more
        return loss

    @staticmethod
    def zero_hessian(*_: object, **__: object) -> None:
        """Nothing to prepare."""

    @staticmethod
    def compute_hutchinson_hessian(*_: object, **__: object) -> None:
        """No estimate of its own."""
