"""The language models by name, for whoever reads which one from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specmup.models.decoder import Decoder
from specmup.models.gpt import GPT, GPTShape
from specmup.models.llama import Llama, LlamaShape

Shape = GPTShape | LlamaShape
SHAPES: Mapping[str, type[Shape]] = {"gpt": GPTShape, "llama": LlamaShape}


def shape_of(kind: str = "gpt", **sizes: Any) -> Shape:
    """The shape of a kind of model.

    Args:
        kind: ``gpt`` or ``llama``.
        sizes: What the shape takes.

    Raises:
        ValueError: If there is no such kind, or it has no such size or option.
    """
    if kind not in SHAPES:
        raise ValueError(f"unknown kind of model {kind!r}: choose one of {', '.join(SHAPES)}")
    known = SHAPES[kind].__dataclass_fields__
    if unknown := [name for name in sizes if name not in known]:
        raise ValueError(f"a {kind} has no {', '.join(unknown)}: it takes {', '.join(known)}")
    return SHAPES[kind](**sizes)


def model_of(shape: Shape) -> Decoder:
    """The model of a shape, its parameters as torch draws them."""
    return Llama(shape) if isinstance(shape, LlamaShape) else GPT(shape)
