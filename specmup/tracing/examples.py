"""Inputs small enough to show what a forward pass does: given, or found from the model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from specmup.foreign import in_one_line
from specmup.tracing.trace import Trace, trace

TOKENS = 4
BATCH = 2
IMAGE = 32
FIRST = 4  # modules whose inputs are tried

# Arguments of a call, by place and by name.
Call = tuple[tuple[Any, ...], Mapping[str, Any]]


class NotTraced(ValueError):
    """The forward pass did not run on an example input."""


def trace_example(model: nn.Module, example: Any = None) -> Trace:
    """Trace a model on an example input.

    Args:
        model: Any module.
        example: A tensor, a tuple of arguments or a mapping of arguments by name. Without one, what
            the model says of its inputs is tried, then tokens for one that begins with an
            embedding, numbers for one that begins with a map.

    Raises:
        NotTraced: If the model raises on the example, or on all that were tried; with the reason.
    """
    reasons = []
    for (args, options), computes in product(calls(model, example), (True, False)):
        try:
            return trace(model, args, options, computes=computes)
        except Exception as problem:  # of any kind: the model is not ours
            reasons.append(in_one_line(problem, 160))
    if not reasons:
        raise NotTraced("its inputs cannot be told from its parameters")
    raise NotTraced(f"its forward pass raises {reasons[0]}")


def calls(model: nn.Module, example: Any = None) -> list[Call]:
    """The call that an example makes, or else those that may be tried, the likeliest first."""
    return [_as_call(example)] if example is not None else list(_found(model))


def _as_call(example: Any) -> Call:
    if isinstance(example, Mapping):
        return (), example
    return (tuple(example), {}) if isinstance(example, tuple | list) else ((example,), {})


def _found(model: nn.Module) -> Iterator[Call]:
    quiet = _without_cache(model)
    if (named := _hugging_face(model)) is not None:
        yield (), {**named, **quiet}
    for tensor in _first_inputs(model):
        yield (tensor,), quiet


def _without_cache(model: nn.Module) -> dict[str, bool]:
    return {"use_cache": False} if "use_cache" in _arguments(model) else {}


def _arguments(model: nn.Module) -> list[str]:
    return list(inspect.signature(model.forward).parameters)


def _hugging_face(model: nn.Module) -> dict[str, Tensor] | None:
    """Inputs by the names and sizes that a model of Hugging Face tells."""
    config, main = getattr(model, "config", None), getattr(model, "main_input_name", None)
    if config is None or main is None:
        return None
    inputs = {main: _named_input(main, config)}
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in _arguments(model):
        inputs["decoder_input_ids"] = _tokens()
    return inputs


def _named_input(name: str, config: Any) -> Tensor:
    if name == "pixel_values":
        size = getattr(config, "image_size", None) or IMAGE
        height, width = size if isinstance(size, list | tuple) else (size, size)
        return torch.zeros(1, getattr(config, "num_channels", 3), height, width)
    if name == "input_features" and hasattr(config, "num_mel_bins"):
        frames = 2 * getattr(config, "max_source_positions", IMAGE)
        return torch.zeros(1, config.num_mel_bins, frames)
    if name == "input_values":
        return torch.zeros(1, 16_000)  # a second of sound
    return _tokens()


def _tokens() -> Tensor:
    return torch.arange(BATCH * TOKENS).reshape(BATCH, TOKENS) % 2


def _first_inputs(model: nn.Module) -> Iterator[Tensor]:
    """Of the shapes that the first few modules with parameters take, bare parameters included."""
    holding = (m for m in model.modules() if any(True for _ in m.parameters(recurse=False)))
    for module in islice(holding, FIRST):
        own = next(module.parameters(recurse=False))
        if isinstance(module, nn.Embedding):
            yield _tokens()
        elif isinstance(module, _ConvNd):
            sides = [IMAGE] * (module.weight.dim() - 2)
            yield torch.zeros(BATCH, module.in_channels, *sides)
        elif isinstance(module, nn.Linear):
            yield from _vectors(module.in_features)
        else:
            yield from _vectors(own.shape[-1] if own.dim() else 1)


def _vectors(size: int) -> Iterator[Tensor]:
    yield torch.zeros(BATCH, size)
    yield torch.zeros(BATCH, TOKENS, size)
