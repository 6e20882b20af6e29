"""Models whose parameters have no memory: built so, or copied so from a model that has some."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _NumbersInMemory(TorchFunctionMode):
    """Under ``torch.device("meta")``, lets tensors of given numbers keep their numbers."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor, torch.scalar_tensor):
            kwargs = {"device": "cpu", **kwargs}
        return func(*args, **kwargs)


def built_on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """What a factory makes, all of it on the meta device: the quicker way."""
    with torch.device("meta"):
        return build()


def built_without_memory(build: Callable[[], nn.Module]) -> nn.Module:
    """What a factory makes, on the meta device but for tensors made of numbers that it gives."""
    with torch.device("meta"), _NumbersInMemory():
        return build()


def without_memory(model: nn.Module) -> nn.Module:
    """A copy whose parameters stand on the meta device; buffers keep their numbers, on the CPU.

    Nothing is copied that is large, and the model is not touched.
    """
    memo: dict[int, object] = {}
    for parameter in model.parameters():
        bare = nn.Parameter(parameter.detach().to("meta"), requires_grad=False)
        bare.__dict__.update(vars(parameter))  # what others hang on it, such as mup's shapes
        memo[id(parameter)] = bare
    for buffer in model.buffers():
        memo[id(buffer)] = buffer if buffer.is_meta else buffer.detach().cpu().clone()
    memo |= {id(kept): kept.detach().to("meta") for kept in _computed(model)}
    return copy.deepcopy(model, memo)


def copied(model: nn.Module) -> nn.Module:
    """A copy, of models too that keep what they computed."""
    return copy.deepcopy(model, {id(kept): kept.detach().clone() for kept in _computed(model)})


def _computed(model: nn.Module) -> Iterator[Tensor]:
    """What modules computed of parameters and keep, as a pruned weight: torch copies no such."""
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                yield value
