"""What of a configuration changes with the width: heads, their groups, and the width of MLPs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# A configuration's own name for what may also be called width and depth.
NAMES = {
    "width": ("width", "n_embd", "hidden_size", "d_model", "dim"),
    "depth": (
        *("depth", "num_layers_per_stack", "n_layer", "num_hidden_layers", "n_layers"),
        *("num_layers", "decoder_layers", "encoder_layers"),
    ),
}
# What grows with the width unless it is given: more heads of the same dimension, wider MLPs.
HEADS = (
    *("n_head", "num_attention_heads", "num_heads", "n_heads"),
    *("encoder_attention_heads", "decoder_attention_heads"),
)
# In proportion to the heads.
OF_HEADS = (
    *("num_key_value_heads", "num_attention_heads_per_layer"),
    *("linear_num_key_heads", "linear_num_value_heads", "mamba_num_heads"),
)
MLPS = (
    *("n_inner", "intermediate_size", "ffn_hidden_size", "ffn_dim", "hidden_dim", "d_ff"),
    *("encoder_ffn_dim", "decoder_ffn_dim"),
    *("moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size"),
    *("moe_shared_expert_intermediate_size", "expert_ffn_hidden_size"),
)
FOLLOWERS = (*HEADS, *OF_HEADS, *MLPS)


class Unfit(ValueError):
    """An entry that cannot follow the sizes."""


def own_name(name: str, own: Mapping[str, Any]) -> str:
    """A configuration's own name for width or depth; any other name as it is."""
    return next((other for other in NAMES.get(name, ()) if other in own), name)


def followers(
    own: Mapping[str, Any], changed: Mapping[str, int], aliases: Mapping[str, str]
) -> dict[str, Any]:
    """What changes with the width or the heads: numbers, or lists of them.

    Args:
        own: The entries of a configuration.
        changed: Those that are given, by its own names.
        aliases: Its own names by the general ones, where they differ.

    Raises:
        Unfit: If a number of heads would not be whole.
    """
    heads = tuple(aliases.get(name, name) for name in HEADS)
    found: dict[str, Any] = {}

    def follow(names: tuple[str, ...], to: str | None) -> None:
        now = {**found, **changed}
        if to is None or to not in now:
            return
        for name in names:
            if name not in now and _is_size(own.get(name)):
                found[name] = _in_proportion(name, own, to, now[to])

    follow((*heads, *MLPS), own_name("width", own))
    follow(OF_HEADS, next((name for name in heads if type(own.get(name)) is int), None))
    return found


def _is_size(value: object) -> bool:
    values = value if isinstance(value, list | tuple) and value else [value]
    return all(type(one) is int for one in values)


def _in_proportion(name: str, own: Mapping[str, Any], to: str, wanted: int) -> Any:
    """An entry, or each of a list, times what ``to`` grows by."""
    if not isinstance(own[name], int):
        each = (_in_proportion(name, {**own, name: one}, to, wanted) for one in own[name])
        return type(own[name])(each)
    times, by = own[name] * wanted, own[to]
    if name in OF_HEADS and own[name] == 1:
        return 1  # one head of keys and values for all
    if name not in MLPS and times % by:
        raise Unfit(
            f"{to}={wanted} gives no whole number of heads where {to}={by} has {name}={own[name]}: "
            f"take a multiple of {by // math.gcd(by, own[name])}, or give {name} as well"
        )
    return max(1, round(times / by))
