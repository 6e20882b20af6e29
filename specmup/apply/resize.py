"""A model at other sizes, from the configuration that it keeps, on the meta device.

Hugging Face models have ``config``, nanoGPT's a dataclass of that name, those of this package
``shape``. Nothing of theirs is imported: a model brings its class and its configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass, replace

import torch
from torch import nn

# A configuration's own name for what may also be called width and depth.
NAMES = {
    "width": ("width", "n_embd", "hidden_size"),
    "depth": ("depth", "n_layer", "num_hidden_layers"),
}
# What grows with the width unless it is given: more heads of the same dimension, wider MLPs.
HEADS = ("n_head", "num_attention_heads", "num_key_value_heads")
FOLLOWERS = (*HEADS, "n_inner", "intermediate_size")
# Lists with an entry a block, which the configuration's class derives anew.
PER_BLOCK = ("layer_types",)


def resized(model: nn.Module, sizes: Mapping[str, int]) -> nn.Module:
    """A model of the same class at other sizes, on the meta device.

    Args:
        model: Made from a configuration, which it keeps as ``config`` or ``shape``.
        sizes: ``width`` and ``depth``, or other entries of the configuration.

    Raises:
        ValueError: If the model keeps no configuration, or not such an entry.
    """
    config = getattr(model, "shape", None) or getattr(model, "config", None)
    if not (is_dataclass(config) or hasattr(config, "to_dict")):
        raise ValueError(
            f"{type(model).__name__} keeps no configuration that could take the sizes "
            f"{', '.join(sizes)}: give the base as a model or as a factory of one"
        )
    more = [model.multipliers] if hasattr(model, "multipliers") else []
    with torch.device("meta"):
        return type(model)(resized_config(config, sizes), *more)


def resized_config(config: object, sizes: Mapping[str, int]) -> object:
    """A copy of a configuration at other sizes, with attention heads of the same dimension.

    Heads, key-value heads and the MLP's width change in proportion to the width where they are not
    among the sizes.

    Args:
        config: A dataclass, or a configuration of Hugging Face.
        sizes: As of :func:`resized`.

    Raises:
        ValueError: If an entry is unknown, not a positive integer, or a number of heads would not
            be whole.
    """
    own = asdict(config) if is_dataclass(config) else config.to_dict()
    changed = {_own_name(name, own): size for name, size in sizes.items()}
    for name, size in changed.items():
        if name not in own:
            known = ", ".join(k for k, v in own.items() if type(v) is int and "token" not in k)
            raise ValueError(f"{type(config).__name__} has no size {name!r}: choose among {known}")
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} is {size!r}: it must be an integer of at least 1")
    width = _own_name("width", own)
    if width in changed:
        for name in FOLLOWERS:
            if name not in changed and isinstance(own.get(name), int):
                changed[name] = _in_proportion(name, own[name], own[width], changed[width])
    if is_dataclass(config):
        return replace(config, **changed)
    # Through the class, so that what it derives from sizes is derived anew.
    return type(config)(**{k: v for k, v in own.items() if k not in PER_BLOCK} | changed)


def _own_name(name: str, own: Mapping[str, object]) -> str:
    return next((other for other in NAMES.get(name, ()) if other in own), name)


def _in_proportion(name: str, own: int, width: int, wanted: int) -> int:
    if name in HEADS and own * wanted % width:
        raise ValueError(
            f"a width of {wanted} has no whole number of heads where {width} has {name}={own}: "
            f"take a multiple of {width // own}, or give {name} as well"
        )
    return max(1, round(own * wanted / width))
