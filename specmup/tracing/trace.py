"""One forward pass as data: its operations, in order, with what flows between them.

Parameters stand on the meta device and have no memory, so a model of any size is traced in the time
that its operations take to be called. What depends on no parameter (positions, masks, scales) is
computed for real, so that its numbers are known and may steer the forward pass; where a value that
depends on parameters steers it, as in routing to experts, an answer is made up and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from specmup.tracing.copies import without_memory
from specmup.tracing.recorder import Recorder, replaced, tensors_in, to_meta
from specmup.tracing.records import Op, Trace, Value

__all__ = ["Op", "Trace", "Value", "trace"]


def trace(
    model: nn.Module,
    args: Sequence[Any] = (),
    options: Mapping[str, Any] | None = None,
    *,
    computes: bool = True,
) -> Trace:
    """Run a model once in evaluation mode, without memory for its parameters, and record it.

    Works for models with memory and on the meta device; the model itself is not touched.

    Args:
        model: Any module.
        args: The example input, as the model is called with it.
        options: Arguments by name.
        computes: Compute what depends on no parameter; if not, its numbers are not known either.
            A few modules, such as ``nn.LSTM``, refuse inputs that have memory beside parameters
            that have none.

    Raises:
        Exception: Whatever the model raises on this input.

    >>> found = trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), [torch.zeros(5, 3)])
    >>> [op.kind for op in found.ops], found.outputs
    (['t', 'addmm', 'relu'], (%5(5, 2),))
    """
    copy = without_memory(model).eval()
    recorder = Recorder(computes)
    options = dict(options or {})
    if not computes:
        copy = copy.to("meta")
        args, options = replaced([list(args), options], to_meta)
    named = {recorder.value(p): name for name, p in copy.named_parameters()}
    buffers = {recorder.value(b): name for name, b in copy.named_buffers()}
    # One tensor may be given twice, as tokens and as their labels.
    given = tuple(dict.fromkeys(recorder.value(t) for t in tensors_in([args, options])))
    for path, module in copy.named_modules():
        _follow(module, path, recorder.path)
    with torch.no_grad(), recorder:
        out = copy(*args, **options)
    outputs = tuple(recorder.value(t) for t in dict.fromkeys(tensors_in(out)))
    return Trace(tuple(recorder.ops), named, buffers, given, outputs, tuple(recorder.made_up))


def _follow(module: nn.Module, path: str, inside: list[str]) -> None:
    """Keep the path of the module that runs at the end of a list."""

    def enter(*_: Any) -> None:
        inside.append(path)

    def leave(*_: Any) -> None:
        inside.pop()

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)
