"""A Llama-style language model: RMSNorm, rotary positions, SwiGLU, grouped queries, no biases.

    h_0     = α_in E[token]

and then as in :mod:`specmup.models.decoder`. Positions turn queries and keys and have no
parameters. The MLP is W_down (silu(W_gate h) ⊙ W_up h): a product of two maps of the stream meets a
third, so three maps stand in a row, and k ≥ 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specmup.models.decoder import (
    ATTENTION_SCALES,
    Decoder,
    check_heads,
    heads,
)
from specmup.models.shape_checks import check_options, check_sizes

NORMALISATIONS = ("rmsnorm", "none")
LONGEST_WAVE = 10_000.0  # of the rotary positions, in units of 2π tokens


@dataclass(frozen=True)
class LlamaShape:
    """What a Llama is, apart from its numbers.

    Args:
        vocabulary: Number V of tokens.
        context: Longest sequence T.
        width: Dimension n of the residual stream. It grows by more heads, not larger ones.
        depth: Number L of blocks, each of an attention and an MLP branch.
        head_dimension: Dimension d of one head, even; it must divide the width.
        group: How many query heads share one key and value head; it must divide their number.
        expansion: Width inside the MLP, in units of n.
        normalisation: ``rmsnorm`` before each branch and before the readout, or ``none``.
        attention_scale: What the product of query and key is multiplied by, ``1/d`` or
            ``1/sqrt(d)``. With a fixed head dimension the two differ by a constant.
        tied: Read out with the token embedding's matrix.

    Raises:
        ValueError: If a size is below 1 or does not divide what it should, or an option is unknown.
    """

    vocabulary: int
    context: int
    width: int
    depth: int
    head_dimension: int = 64
    group: int = 1
    expansion: int = 3
    normalisation: str = "rmsnorm"
    attention_scale: str = "1/sqrt(d)"
    tied: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that make no model."""
        sizes = ("vocabulary", "context", "width", "depth", "head_dimension", "group", "expansion")
        check_sizes(self, sizes)
        check_heads(self)
        options = {"normalisation": NORMALISATIONS, "attention_scale": ATTENTION_SCALES}
        check_options(self, options)
        if self.head_dimension % 2:
            raise ValueError(
                f"head_dimension is {self.head_dimension}: rotary positions turn pairs of "
                "coordinates, so give an even number"
            )
        if self.heads % self.group:
            raise ValueError(
                f"{self.heads} heads do not fall into groups of {self.group}: give a group that "
                "divides them"
            )

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return self.width // self.head_dimension

    @property
    def key_value_width(self) -> int:
        """Dimension of all keys, or values, together."""
        return self.width // self.group


class Llama(Decoder):
    """The model; see :class:`specmup.models.decoder.Decoder`."""

    shape: LlamaShape

    def normalisation(self) -> nn.Module:
        """RMSNorm, or nothing."""
        return nn.Identity() if self.shape.normalisation == "none" else nn.RMSNorm(self.shape.width)

    def branches(self) -> tuple[nn.Module, nn.Module]:
        """The attention and the MLP of a block."""
        return GroupedAttention(self.shape), GatedMLP(self.shape)


class GroupedAttention(nn.Module):
    """Causal attention with rotary positions, in which several queries share a key and a value."""

    def __init__(self, shape: LlamaShape) -> None:
        """Four maps; separate matrices, as matrix optimizers need them."""
        super().__init__()
        n, shared, d = shape.width, shape.key_value_width, shape.head_dimension
        self.head_dimension, self.group = d, shape.group
        self.query = nn.Linear(n, n, bias=False)
        self.key = nn.Linear(n, shared, bias=False)
        self.value = nn.Linear(n, shared, bias=False)
        self.out = nn.Linear(n, n, bias=False)
        self.scale = float(d) ** ATTENTION_SCALES[shape.attention_scale]

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        q, k, v = (
            heads(m(h), self.head_dimension) for m in (self.query, self.key, self.value)
        )  # (B, heads, T, d), of keys and values a group's part of the heads
        k, v = (shared.repeat_interleave(self.group, dim=1) for shared in (k, v))
        q, k = rotated(q), rotated(k)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        return self.out(mixed.transpose(1, 2).flatten(2))


class GatedMLP(nn.Module):
    """SwiGLU: what is written up passes a gate, which is a map of the stream as well."""

    def __init__(self, shape: LlamaShape) -> None:
        """Make the three maps."""
        super().__init__()
        n, inside = shape.width, shape.expansion * shape.width
        self.gate = nn.Linear(n, inside, bias=False)
        self.up = nn.Linear(n, inside, bias=False)
        self.down = nn.Linear(inside, n, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        return self.down(F.silu(self.gate(h)) * self.up(h))


def rotated(x: Tensor) -> Tensor:
    """Queries or keys (B, heads, T, d), each pair of coordinates turned by its position.

    Pair i of d/2, coordinates i and i + d/2, turns by t·θ^(-2i/d) at position t, θ the longest
    wave, so that a product of query and key depends on their distance alone.
    """
    length, d = x.shape[-2:]
    positions = torch.arange(length, device=x.device, dtype=torch.float32)
    pairs = torch.arange(0, d, 2, device=x.device, dtype=torch.float32) / d
    angles = positions[:, None] * LONGEST_WAVE ** -pairs[None, :]  # (T, d/2)
    cos, sin = (turn(angles).to(x.dtype) for turn in (torch.cos, torch.sin))
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
