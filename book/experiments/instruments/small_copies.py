"""Small copies of other people's language models, by their type in transformers.

A copy keeps what its configuration says of the kinds of blocks and maps, and is made small in every
size that it names. Names serve to make it small and for nothing else: a copy that does not run is
said to be unmeasured.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from specmup.parametrization.followers import HEADS, MLPS, NAMES, OF_HEADS
from specmup.parametrization.resize import resized_config
from specmup.streams import stream

TYPES = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))

VOCABULARY, CONTEXT = 8, 8
# No text holds padding, whose embedding is zero: a token more, which the data do not draw.
PADDING = VOCABULARY
# Of normalisations. What they read in an original stands far above their ε; in narrow copies, which
# start with the original's standard deviation, it would not.
NORM_EPSILON = 1e-16

BASE_WIDTH, BASE_DEPTH = 32, 4
# What the copy of the base's size has, by the names that configurations use.
SIZES = {
    **dict.fromkeys(NAMES["width"], BASE_WIDTH),
    **dict.fromkeys(NAMES["depth"], BASE_DEPTH),
    **dict.fromkeys(HEADS, 4),
    **dict.fromkeys(MLPS, 2 * BASE_WIDTH),
}
# And at most; the first pattern that fits a name counts.
AT_MOST = {
    "*vocab_size*": VOCABULARY + 1,
    "*position*": 4 * CONTEXT,
    "*lora_rank": 16,
    "*experts_per_tok*": 2,
    "*top*k": 2,
    "moe_k": 2,
    "*topk_group": 1,
    "n_group": 1,
    "*n_groups": 1,
    "*num_expert_group*": 1,
    "*shared_experts": 1,
    "*expert*size*": 2 * BASE_WIDTH,
    "*expert*": 2,
    "*intermediate_size*": BASE_WIDTH,
    "*head_dim*": 8,
    "*head_size": 8,
    "dim_head": 8,
    "kv_channels": 8,
    "*mamba_n_heads": 4,
    "*d_ssm": BASE_WIDTH,
    "*router_hidden_size": BASE_WIDTH,
    "*multiple_of": 8,
    "dff": 2 * BASE_WIDTH,
    "dim_ff": 2 * BASE_WIDTH,
    "d_inner": 2 * BASE_WIDTH,
    "rotary_dim": 4,
    "*state*": 8,
    "*chunk_size": CONTEXT,
    "*dense_replace": 1,
}
# Entries without which a type does not run, where its own defaults do not go together.
OWN: dict[str, dict[str, int]] = {
    "deepseek_v2": {"num_experts_per_tok": 2},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "longcat_flash": {"head_dim": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8},
    "mamba2": {"num_heads": 8},
    "ministral": {"head_dim": 8},
    "nemotron": {"num_key_value_heads": 4},
}


def small_config(model_type: str) -> Any:
    """The configuration of a copy of the base's size.

    Raises:
        ValueError: If it cannot be made as small.
    """
    config = AutoConfig.for_model(model_type)
    own = config.to_dict()
    if not any(name in own for name in NAMES["width"]):
        own = config.get_text_config(decoder=True).to_dict()
    general = {name: known for known, name in config.attribute_map.items()}
    wanted = dict(_sizes({general.get(name, name): value for name, value in own.items()}))
    small: Any = resized_config(config, {**wanted, **OWN.get(model_type, {})})
    for part in {id(one): one for one in (small, small.get_text_config(decoder=True))}.values():
        for name, value in part.to_dict().items():
            out_of_it = name == "pad_token_id" or (type(value) is int and value >= VOCABULARY)
            if name.endswith("token_id") and type(value) is int and out_of_it:
                setattr(part, name, PADDING)
            elif name.endswith(("eps", "epsilon")) and type(value) is float:
                setattr(part, name, NORM_EPSILON)
        part.use_cache = False
    return small


def _sizes(own: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The entries to change, and to what."""
    heads = next((own[name] for name in HEADS if type(own.get(name)) is int), 0)
    for name, value in own.items():
        if type(value) is not int or value < 1 or name.endswith(("token_id", "token_index")):
            continue
        if name in OF_HEADS and value > 1:
            yield name, SIZES[HEADS[0]] // (1 if value >= heads else 2)
        elif name in SIZES:
            yield name, SIZES[name]
        elif most := next((m for p, m in AT_MOST.items() if fnmatchcase(name, p)), None):
            yield name, min(value, most)


def copy_of(config: Any, width: int, depth: int, seed: int) -> nn.Module:
    """The model at a width and depth, started as it starts itself, from a stream of the seed."""
    wanted = resized_config(config, {"width": width, "depth": depth})
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(stream("weights", seed).get_state())
        return AutoModelForCausalLM.from_config(wanted).eval()
