"""What the steps of several optimizers have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import torch
from torch import Tensor

# As torch declares it, though most closures give a tensor. torch also overloads ``step`` by whether
# there is one, which no method that takes either overrides in the type checker's eyes.
Closure = Callable[[], float] | None

T = TypeVar("T")


def evaluated(closure: Closure) -> float | None:
    """The loss that a closure gives, with gradients also where they are switched off."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def with_gradients(parameters: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """The parameters that have a gradient, each with its own."""
    return [(p, gradient) for p in parameters if (gradient := p.grad) is not None]


def by_kind(items: Iterable[T], kind: Callable[[T], Hashable]) -> list[list[T]]:
    """Items of one kind together, kinds in the order in which they first come."""
    together: dict[Hashable, list[T]] = {}
    for item in items:
        together.setdefault(kind(item), []).append(item)
    return list(together.values())


def stackable(tensor: Tensor) -> Hashable:
    """What tensors have in common that can be stacked: shape, type and device."""
    return tensor.shape, tensor.dtype, tensor.device
