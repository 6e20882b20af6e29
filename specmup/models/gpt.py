"""A GPT-2 style language model, with a multiplier at each place where the theory has one.

    h_0     = α_in (E[token] + P[position])

and then as in :mod:`specmup.models.decoder`. Attention reads three maps of the stream and writes a
fourth; the MLP has two maps. Each branch thus holds at least two maps in a row (value and out, up
and down): k ≥ 2.
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

NORMALISATIONS = ("layernorm", "none")


@dataclass(frozen=True)
class GPTShape:
    """What a GPT is, apart from its numbers.

    Args:
        vocabulary: Number V of tokens.
        context: Longest sequence T.
        width: Dimension n of the residual stream. It grows by more heads, not larger ones.
        depth: Number L of blocks, each of an attention and an MLP branch.
        head_dimension: Dimension d of one head; it must divide the width.
        normalisation: ``layernorm`` before each branch and before the readout, or ``none``.
        qk_norm: Normalise each head's queries and keys, with a gain.
        attention_scale: What the product of query and key is multiplied by, ``1/d`` or
            ``1/sqrt(d)``. With a fixed head dimension the two differ by a constant.
        bias: Give every map but the readout, and every LayerNorm, a bias; it starts at zero.
        tied: Read out with the token embedding's matrix.

    Raises:
        ValueError: If a size is below 1, the head dimension does not divide the width, or an
            option is unknown.
    """

    vocabulary: int
    context: int
    width: int
    depth: int
    head_dimension: int = 64
    normalisation: str = "layernorm"
    qk_norm: bool = False
    attention_scale: str = "1/sqrt(d)"
    bias: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that make no model."""
        check_sizes(self, ("vocabulary", "context", "width", "depth", "head_dimension"))
        check_heads(self)
        check_options(
            self,
            {"normalisation": NORMALISATIONS, "attention_scale": ATTENTION_SCALES},
        )

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head_dimension


class GPT(Decoder):
    """The model; see :class:`specmup.models.decoder.Decoder`."""

    shape: GPTShape

    def embed_beside(self) -> None:
        """Make the embedding of positions."""
        self.positions = nn.Embedding(self.shape.context, self.shape.width)

    def embedding(self, tokens: Tensor) -> Tensor:
        """Token and position, (B, T, n)."""
        positions = torch.arange(tokens.shape[-1], device=tokens.device)
        return self.tokens(tokens) + self.positions(positions)

    def normalisation(self) -> nn.Module:
        """LayerNorm, or nothing."""
        if self.shape.normalisation == "none":
            return nn.Identity()
        return nn.LayerNorm(self.shape.width, bias=self.shape.bias)

    def branches(self) -> tuple[nn.Module, nn.Module]:
        """The attention and the MLP of a block."""
        return Attention(self.shape), MLP(self.shape)


class Attention(nn.Module):
    """Causal attention with heads of a fixed dimension."""

    def __init__(self, shape: GPTShape) -> None:
        """Four maps of the stream's width; separate matrices, as matrix optimizers need them."""
        super().__init__()
        n, d = shape.width, shape.head_dimension
        self.shape = shape
        self.query = _map(n, n, shape)
        self.key = _map(n, n, shape)
        self.value = _map(n, n, shape)
        self.out = _map(n, n, shape)
        self.query_norm = nn.RMSNorm(d) if shape.qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(d) if shape.qk_norm else nn.Identity()
        self.scale = float(d) ** ATTENTION_SCALES[shape.attention_scale]

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        q, k, v = (
            heads(m(h), self.shape.head_dimension) for m in (self.query, self.key, self.value)
        )  # (B, heads, T, d)
        q, k = self.query_norm(q), self.key_norm(k)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        return self.out(mixed.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two maps with a GELU between them, four times as wide as the stream inside."""

    def __init__(self, shape: GPTShape) -> None:
        """Make the two maps."""
        super().__init__()
        self.up = _map(shape.width, 4 * shape.width, shape)
        self.down = _map(4 * shape.width, shape.width, shape)

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        return self.down(F.gelu(self.up(h)))


def _map(n_in: int, n_out: int, shape: GPTShape) -> nn.Linear:
    """A map, with a bias that starts at zero if the shape asks for one."""
    made = nn.Linear(n_in, n_out, bias=shape.bias)
    if shape.bias:
        nn.init.zeros_(made.bias)
    return made
