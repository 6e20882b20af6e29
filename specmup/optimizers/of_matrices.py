"""Optimizers of matrices on tensors that hold several: kernels, stacked experts, fused maps.

Such a tensor is taken apart into views that are matrices, each with a state of its own, and each
view's gradient is the same part of the tensor's gradient. Nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from specmup.optimizers.steps import Closure, evaluated

Views = Callable[[Tensor], Sequence[Tensor]]


class OfMatrices(Optimizer):
    """A ``torch.optim.Optimizer`` whose groups hold the tensors themselves.

    So clipping, loss scaling and schedules see what they always see; the numbers of a group go to
    the optimizer within before each step.

    Args:
        groups: Plain parameter groups.
        make: Makes the optimizer within from groups of views.
        cut: By parameter, how it, or its gradient, is taken apart; others are handed over whole.
    """

    def __init__(
        self,
        groups: Sequence[Mapping],
        make: Callable[[list[dict]], Optimizer],
        cut: Mapping[Tensor, Views],
    ) -> None:
        """Take the parameters apart.

        Raises:
            ValueError: If one that is to be taken apart is sharded.
        """
        if sharded := [p for p in cut if hasattr(p, "placements")]:
            raise ValueError(
                f"a sharded tensor of shape {tuple(sharded[0].shape)} cannot be taken apart into "
                "matrices: train it by AdamW, or without sharding"
            )
        self._views = {p: list(views(p.detach())) for p, views in cut.items()}
        self._cut = dict(cut)
        self.within = make([{**group, "params": self._taken_apart(group)} for group in groups])
        super().__init__([dict(group) for group in groups], self.within.defaults)
        self._take_back()

    def _taken_apart(self, group: Mapping) -> list[Tensor]:
        return [view for p in group["params"] for view in self._views.get(p, [p])]

    @property  # type: ignore[override]  # torch's is an attribute
    def state(self) -> MutableMapping[Tensor, dict]:
        """The state of every view, and of what is whole."""
        return self.within.state

    @state.setter
    def state(self, states: Mapping[Tensor, dict]) -> None:
        """The empty one that torch sets at construction is not needed."""
        if states:
            raise AttributeError("the state is that of the optimizer within: set within.state")

    @torch.no_grad()
    def step(self, closure: Closure = None) -> float | None:  # type: ignore[override]  # see Closure
        """One step of the optimizer within; the closure is evaluated once."""
        loss = evaluated(closure)
        self._hand_over()
        for parameter, views in self._views.items():
            gradient = parameter.grad
            parts = [None] * len(views) if gradient is None else self._cut[parameter](gradient)
            for view, part in zip(views, parts, strict=True):
                view.grad = part
        self.within.step()
        self._take_back()  # some count their steps in the group
        for views in self._views.values():
            for view in views:
                view.grad = None  # or a gradient that is forgotten would stay in memory
        return loss

    def _hand_over(self) -> None:
        for own, whole in zip(self.within.param_groups, self.param_groups, strict=True):
            own |= {key: value for key, value in whole.items() if key != "params"}

    def _take_back(self) -> None:
        for own, whole in zip(self.within.param_groups, self.param_groups, strict=True):
            whole |= {key: value for key, value in own.items() if key != "params"}

    def add_param_group(self, param_group: dict) -> None:
        """Add a group of tensors that need not be taken apart.

        Raises:
            ValueError: If the optimizer within does not take them.
        """
        if len(self.param_groups) == len(self.within.param_groups):  # not while torch constructs
            self.within.add_param_group(dict(param_group))
            param_group = {**self.within.param_groups[-1], **param_group}
        super().add_param_group(param_group)

    def state_dict(self) -> dict:
        """That of the optimizer within: a view has a number as a parameter has."""
        self._hand_over()
        return self.within.state_dict()

    def load_state_dict(self, state_dict: Mapping) -> None:
        """Take over what :meth:`state_dict` gave.

        Raises:
            ValueError: If the groups, or their sizes, are not those of this optimizer.
        """
        self.within.load_state_dict(dict(state_dict))
        self._take_back()

    def __getstate__(self) -> dict:
        """Views lose their tensors where either is copied.

        Raises:
            TypeError: Always; it says what to keep instead.
        """
        raise TypeError(
            "an optimizer of tensors that are taken apart cannot be copied or pickled: keep its "
            "state_dict(), and load it into one that is made for the copied model"
        )


def kernel(tensor: Tensor) -> list[Tensor]:
    """A convolution's (n_out, n_in, …) as one matrix (n_out, n_in·…)."""
    return [tensor.flatten(1)]


def stacked(tensor: Tensor) -> list[Tensor]:
    """Every matrix of (…, rows, columns) by itself."""
    return list(tensor.flatten(0, -3).unbind(0))


def merged(tensor: Tensor, first: int) -> list[Tensor]:
    """One matrix, whose rows are the first few dimensions and whose columns are all others."""
    return [tensor.flatten(first).flatten(0, first - 1)]
