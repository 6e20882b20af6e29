"""The architectures that need no telling: for each, name patterns with their places.

A new one is one more record in :data:`ARCHITECTURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from operator import attrgetter

from torch import nn


@dataclass(frozen=True)
class Architecture:
    """An architecture, by the names of its parameters.

    Args:
        name: For reports.
        places: Name pattern (as of ``fnmatch``, word by word) to a key of
            :data:`specmup.inspection.places.PLACES`; the first match counts.
            A block's number is written ``*`` in the names that are matched.
        signature: Patterns that must all occur for a model to be of this architecture.
        block_depth: Number k of maps in a branch, or how to read it from a model.
        depth: How to read the number of blocks where they are not a list of modules.
        own_std: The model's own initial std of a matrix, from its configuration, the parameter's
            name and the number of blocks; None where it is not known without looking.
        head_dimension: Dimension of an attention head, from a model; None where it cannot be read.
        refused: Pattern of class names to the reason why models that hold such a module, though
            their parameters have this architecture's names, are none of it.
    """

    name: str
    places: Mapping[str, str]
    signature: tuple[str, ...]
    block_depth: int | Callable[[nn.Module], int] = 2
    depth: Callable[[nn.Module], int] | None = None
    own_std: Callable[[object, str, int], float | None] = field(default=lambda *_: None)
    head_dimension: Callable[[nn.Module], float | None] = field(default=lambda _: None)
    refused: Mapping[str, str] = field(default_factory=dict)

    def check(self, model: nn.Module) -> None:
        """Refuse a model that only looks like one of these.

        Raises:
            ValueError: If it holds a module of a refused class.
        """
        for kind in dict.fromkeys(type(module).__name__ for module in model.modules()):
            if (reason := match(self.refused, kind)) is not None:
                raise ValueError(f"a model with {kind} has the names of {self.name}, but {reason}")

    def place(self, name: str) -> str | None:
        """The place of a parameter; None where no pattern fits."""
        return match(self.places, name.replace(".base_layer.", "."))  # an adapter's word for it

    def fits(self, names: list[str]) -> bool:
        """Whether the signature occurs among the names."""
        plain = [name.replace(".base_layer.", ".") for name in names]
        return all(any(match({s: True}, n) for n in plain) for s in self.signature)


def match(patterns: Mapping[str, object], name: str):
    """The value of the first pattern that fits the name, or None."""
    return next((value for pattern, value in patterns.items() if _fits(name, pattern)), None)


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern fits a name, word by word; more words may stand before a first ``*``.

    A last ``*`` stands for a weight or a bias alone: what else a module holds, an adapter's two
    matrices for one, is not what the module is.
    """
    words, wanted = name.split("."), pattern.removeprefix("*").split(".")
    if wanted[-1] == "*" and words[-1] not in ("weight", "bias"):
        return False
    if pattern.startswith("*"):
        words = words[-len(wanted) :]
    return len(words) == len(wanted) and all(map(fnmatchcase, words, wanted))


def find_architecture(names: list[str]) -> Architecture | None:
    """The architecture of a model with parameters of these names; None if it is not a known one."""
    return next((known for known in ARCHITECTURES if known.fits(names)), None)


def _hugging_face_std(config: object, name: str, depth: int) -> float | None:
    return getattr(config, "initializer_range", None)


def _gpt2_std(config: object, name: str, depth: int) -> float | None:
    """GPT-2 starts the last map of each of its 2L branches smaller, by 1/√(2L)."""
    std = _hugging_face_std(config, name, depth)
    if std is None or not name.endswith("c_proj.weight"):
        return std
    return std / (2 * depth) ** 0.5


def _head_dimension(model: nn.Module) -> float | None:
    """Width of a head, from the configuration names of nanoGPT and of Hugging Face."""
    config = getattr(model, "config", None)
    try:
        own = getattr(config, "head_dim", None)
    except RuntimeError:  # heads differ from layer to layer, and transformers says so by this
        return None
    if own is not None:
        return own
    width = getattr(config, "hidden_size", getattr(config, "n_embd", None))
    heads = getattr(config, "num_attention_heads", getattr(config, "n_head", None))
    return width / heads if width and heads else None


ARCHITECTURES = (
    Architecture(
        "specmup ResNet",
        {
            "input": "input",
            "input_bias": "input",
            "hidden": "branch_end",
            "hidden_bias": "branch_end",
            "output": "head",
        },
        signature=("input", "hidden", "output"),
        block_depth=attrgetter("shape.block_depth"),
        depth=attrgetter("shape.depth"),
    ),
    Architecture(
        "specmup GPT",  # and its Llama
        {
            "tokens.weight": "embedding",
            "positions.weight": "embedding",
            "blocks.*.*_norm.*": "branch_norm",
            "blocks.*.attention.*_norm.*": "branch_norm",
            "blocks.*.attention.out.*": "branch_end",
            "blocks.*.attention.*.*": "branch",
            "blocks.*.mlp.gate.*": "branch",
            "blocks.*.mlp.up.*": "branch",
            "blocks.*.mlp.down.*": "branch_end",
            "norm.*": "final_norm",
            "readout.*": "head",
        },
        signature=("tokens.weight", "blocks.*.attention.query.weight", "blocks.*.mlp.down.weight"),
        head_dimension=attrgetter("shape.head_dimension"),
    ),
    Architecture(
        "GPT-2",  # nanoGPT and Hugging Face agree on the names
        {
            "*h.*.ln_?.*": "branch_norm",
            "*h.*.attn.c_attn.*": "branch",
            "*h.*.attn.c_proj.*": "branch_end",
            "*h.*.mlp.c_fc.*": "branch",
            "*h.*.mlp.c_proj.*": "branch_end",
            "*wte.weight": "embedding",
            "*wpe.weight": "embedding",
            "*ln_f.*": "final_norm",
            "*lm_head.*": "head",
        },
        signature=("*wte.weight", "*h.*.attn.c_attn.weight", "*h.*.mlp.c_proj.weight"),
        own_std=_gpt2_std,
        head_dimension=_head_dimension,
    ),
    Architecture(
        "Llama",  # and Mistral
        {
            "*layers.*.input_layernorm.*": "branch_norm",
            "*layers.*.post_attention_layernorm.*": "branch_norm",
            "*layers.*.self_attn.[qk]_norm.*": "branch_norm",
            "*layers.*.self_attn.[qkv]_proj.*": "branch",
            "*layers.*.self_attn.o_proj.*": "branch_end",
            "*layers.*.mlp.gate_proj.*": "branch",
            "*layers.*.mlp.up_proj.*": "branch",
            "*layers.*.mlp.down_proj.*": "branch_end",
            "*embed_tokens.weight": "embedding",
            "norm.*": "final_norm",
            "model.norm.*": "final_norm",
            "lm_head.*": "head",
        },
        signature=(
            "*embed_tokens.weight",
            "*layers.*.self_attn.q_proj.weight",
            "*layers.*.mlp.gate_proj.weight",
        ),
        refused={
            "Gemma*RMSNorm": "multiplies its embedding by the root of the width, which no "
            "rule here knows: a plan for it would be wrong",
            "Olmo[23]DecoderLayer": "ends its branches with a normalisation: declare branch_ends="
            "['post_attention_layernorm', 'post_feedforward_layernorm'] and block_depth=2",
        },
        own_std=_hugging_face_std,
        head_dimension=_head_dimension,
    ),
    Architecture(
        "GPT-NeoX",
        {
            "*layers.*.input_layernorm.*": "branch_norm",
            "*layers.*.post_attention_layernorm.*": "branch_norm",
            "*layers.*.attention.query_key_value.*": "branch",
            "*layers.*.attention.dense.*": "branch_end",
            "*layers.*.mlp.dense_h_to_4h.*": "branch",
            "*layers.*.mlp.dense_4h_to_h.*": "branch_end",
            "*embed_in.weight": "embedding",
            "*final_layer_norm.*": "final_norm",
            "embed_out.*": "head",
            "lm_head.*": "head",
        },
        signature=("*embed_in.weight", "*layers.*.attention.query_key_value.weight"),
        own_std=_hugging_face_std,
        head_dimension=_head_dimension,
    ),
)
