"""The spectral condition, enforced: each step of any optimizer rescaled to the norm it must have.

A rule for an optimizer predicts how large its step will be and divides that out, up to a constant
that holds for large widths. Here the step is made first and then measured:

    ΔW = the optimizer's step,      W ← (1 − ηλ)·W + η·t·ΔW/‖ΔW‖_R.

So ‖ΔW‖_R = η·t at every width, where t is what the condition demands (``update_norm``,
:class:`specmup.theory.rules.SolvedLayer`). Nothing is asked of the optimizer but a direction.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from specmup.optimizers.rescaling import set_step_
from specmup.optimizers.steps import Closure, by_kind, evaluated, with_gradients
from specmup.theory.layer import Layer, MatrixSize
from specmup.theory.order import S
from specmup.theory.rules import Rules, solved_layers
from specmup.theory.update import UpdateLaw

# From this many entries on a matrix is worked on where it lies. Smaller ones of equal shape are
# put together, as calling the kernels would take longer than the work.
LARGE = 2**17
# Large, so that the step is not lost in the rounding of the weight from which it is read off.
INNER_LEARNING_RATE = 2.0**10
DEFAULTS = {"update_norm": 1.0, "vectors": False}


def enforced_rules(block_depth: int) -> Rules:
    """The rules of every wrapped optimizer: those of a step with ‖A‖_R = 1.

    Learning rates are then the norms themselves. Multipliers and variances are those of every
    other rule, since no optimizer has a part in them.

    Args:
        block_depth: Number k of maps in a branch.
    """

    def unit(layer: Layer[S]) -> MatrixSize[S]:
        size = (layer.fan_out / layer.fan_in) ** "1/2"
        return layer.gradient.normalised().scaled(size)

    law = UpdateLaw("enforced", "Enforced", unit)
    rows = tuple(solved.rule(law) for solved in solved_layers(block_depth).values())
    return Rules(f"Condition enforced, k = {block_depth}", rows)


class Enforced(Optimizer):
    """Any optimizer, its steps rescaled so that ‖ΔW‖_R = lr·update_norm for each matrix.

    The groups are those of the inner optimizer, and any scheduler works on them. Their keys mean:

    - ``lr``: the step's size η relative to what the condition demands. The inner optimizer never
      sees it, only ``inner_learning_rate``.
    - ``update_norm``: what the condition demands, 1 where a group has none.
    - ``weight_decay``: λ, decoupled: a step subtracts η·λ·W. It is applied here and apart, so that
      what is measured is the optimizer's own step. As η is relative, λ is the same at all sizes
      for k ≥ 2; in branches of one map, which move by 1/√L of their size, it falls like that too.

    A tensor of more than two dimensions counts as a stack of matrices, each with a norm of its
    own; one of a single dimension as a vector with its RMS norm. A group whose ``vectors`` is true
    holds stacks of vectors. Steps of zero stay zero: the first of ADOPT and SOAP, a unit that is
    dead. A step that is not finite makes its matrix NaN, for divergence is data.

    Args:
        inner: The optimizer. Its learning rate must only scale its step, as in all optimizers of
            :data:`specmup.theory.update.LAWS`, and its decay must be set by ``weight_decay`` in its
            groups: it is taken away for as long as the inner step takes.
        inner_learning_rate: What the inner optimizer gets in place of ``lr``. The result does not
            depend on it, up to rounding: the step is the difference of the weights after and
            before, so a small one would be lost. Weights in float16 need a smaller one.
        tol: Relative tolerance to which norms are measured; see
            :func:`specmup.optimizers.power_iteration.leading`.

    >>> weight = torch.nn.Parameter(torch.eye(8))
    >>> optimizer = Enforced(torch.optim.SGD([weight], lr=0.25))
    >>> weight.sum().backward(); optimizer.step()
    >>> round(float(torch.linalg.matrix_norm(weight.detach() - torch.eye(8), 2)), 4)
    0.25
    """

    def __init__(
        self,
        inner: Optimizer,
        *,
        inner_learning_rate: float = INNER_LEARNING_RATE,
        tol: float = 0.02,
    ) -> None:
        """Share the inner optimizer's groups."""
        super().__init__(inner.param_groups, inner.defaults | DEFAULTS)
        self.inner, self.inner_learning_rate, self.tol = inner, inner_learning_rate, tol
        self.param_groups = inner.param_groups
        self._before: dict[Tensor, Tensor] = {}

    @property
    def curvature_period(self) -> int | None:
        """Every how many steps the inner optimizer wants an estimate of the curvature, if any."""
        return getattr(self.inner, "curvature_period", None)

    @torch.no_grad()
    def step(  # type: ignore[override]  # see Closure
        self, closure: Closure = None, **inner: object
    ) -> float | None:
        """One step; the closure is evaluated once, before it.

        Args:
            closure: Computes the loss and the gradients.
            inner: More arguments of the inner optimizer's ``step``.
        """
        loss = evaluated(closure)
        moving = [
            _Moving(p, self._kept(p), group)
            for group in self.param_groups
            for p, _ in with_gradients(group["params"])
        ]
        with _handed_over(self.param_groups, self.inner_learning_rate):
            self.inner.step(**inner)  # type: ignore[call-overload]  # some take more than torch's
        for together in by_kind(moving, _kind):
            self._rescale(together)
        return loss

    def _kept(self, p: Tensor) -> Tensor:
        """A copy of the weight, in memory that is kept, as getting it anew takes longer."""
        if p not in self._before:
            self._before[p] = torch.empty_like(p, requires_grad=False)
        return self._before[p].copy_(p)

    def _rescale(self, moving: Sequence[_Moving]) -> None:
        """Set the steps of parameters of equal shape."""
        groups = [each.group for each in moving]
        views = [_stack(each.parameter.detach(), each.group) for each in moving]
        counts = [len(view) for view in views]
        rates = [float(group["lr"]) for group in groups]
        norms = [rate * group["update_norm"] for rate, group in zip(rates, groups, strict=True)]
        keeps = [
            1 - rate * group.get("weight_decay", 0.0)
            for rate, group in zip(rates, groups, strict=True)
        ]
        states = [self.state[each.parameter] for each in moving]
        starts = [state.get("vectors") for state in states]
        after = _together(views)
        vectors = set_step_(
            after,
            _together([_stack(each.before, each.group) for each in moving]),
            _repeat(norms, counts),
            keeps=_repeat(keeps, counts),
            start=None if any(s is None for s in starts) else _together(starts),
            tol=self.tol,
        )
        if len(views) > 1:  # otherwise ``after`` is the parameter itself
            torch._foreach_copy_(views, list(after.split(counts)))
        if vectors is not None:
            for state, own in zip(states, vectors.split(counts), strict=True):
                state["vectors"] = own

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self.inner.zero_grad(set_to_none)

    def add_param_group(self, param_group: dict) -> None:
        """Hand the group to the inner optimizer."""
        if hasattr(self, "inner"):
            for key, value in DEFAULTS.items():
                param_group.setdefault(key, value)
            self.inner.add_param_group(param_group)
            self.param_groups = self.inner.param_groups
        else:  # called by Optimizer.__init__, for groups that the inner one has already
            super().add_param_group(param_group)

    def __getstate__(self) -> dict:
        """For ``deepcopy`` and ``pickle``: the inner optimizer as well."""
        own = ("inner", "inner_learning_rate", "tol")
        return super().__getstate__() | {key: getattr(self, key) for key in own} | {"_before": {}}

    def state_dict(self) -> dict:
        """State of both: the vectors found last, and under ``inner`` the inner optimizer's own."""
        return super().state_dict() | {"inner": self.inner.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load what :meth:`state_dict` returned."""
        own = {key: value for key, value in state_dict.items() if key != "inner"}
        super().load_state_dict(own)
        self.inner.load_state_dict(state_dict["inner"])
        self.param_groups = self.inner.param_groups


class _Moving(NamedTuple):
    """A parameter in a step, what it was before, and its group."""

    parameter: Tensor
    before: Tensor
    group: dict


@contextmanager
def _handed_over(groups: Sequence[dict], learning_rate: float) -> Iterator[None]:
    """Give the groups a constant rate and no decay for as long as the inner step takes."""
    constant = {"lr": learning_rate, "weight_decay": 0.0}
    kept = [{key: group[key] for key in constant if key in group} for group in groups]
    try:
        for group, own in zip(groups, kept, strict=True):
            group.update({key: constant[key] for key in own})
        yield
    finally:
        for group, own in zip(groups, kept, strict=True):
            group.update(own)


def _kind(moving: _Moving) -> Hashable:
    """What parameters share that are worked on together: the shape, unless they are large."""
    p = moving.parameter
    alone = id(p) if p.numel() >= LARGE else None
    return _stack(p, moving.group).shape[1:], p.dtype, p.device, alone


def _stack(tensor: Tensor, group: dict) -> Tensor:
    """A view (B, n_out, n_in) of matrices, (B, n) of vectors."""
    last = 1 if tensor.ndim == 1 or group["vectors"] else 2
    return tensor.view(-1, *tensor.shape[-last:])


def _together(stacks: Sequence[Tensor]) -> Tensor:
    """All of them along the first dimension; a single one as it is."""
    return stacks[0] if len(stacks) == 1 else torch.cat(list(stacks))


def _repeat(values: Sequence[float], counts: Sequence[int]) -> Tensor:
    return torch.tensor(values).repeat_interleave(torch.tensor(counts))
