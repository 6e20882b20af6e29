"""A GPT-2 style language model, with a multiplier at each place where the theory has one.

    h_0     = α_in (E[token] + P[position])
    h       = h + α_hidden · attention(norm(h))          one block: two branches
    h       = h + α_hidden · mlp(norm(h))
    logits  = α_out · W_out norm(h_L)

Attention reads three maps of the stream and writes a fourth; the MLP has two maps. Each branch thus
holds at least two maps in a row (value and out, up and down): k ≥ 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORMALISATIONS = ("layernorm", "none")
ATTENTION_SCALES = {"1/d": -1.0, "1/sqrt(d)": -0.5}
MULTIPLIERS = ("input", "hidden", "output")


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
        bias: Give every map but the readout, and every LayerNorm, a bias.
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
        for name in ("vocabulary", "context", "width", "depth", "head_dimension"):
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name} is {size!r}: it must be an integer of at least 1")
        if self.width % self.head_dimension:
            raise ValueError(
                f"width {self.width} is not divisible by head_dimension {self.head_dimension}: "
                f"take a multiple, such as {self._nearest_width()}"
            )
        for name, known in (
            ("normalisation", NORMALISATIONS),
            ("attention_scale", tuple(ATTENTION_SCALES)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}: choose one of {', '.join(known)}"
                )

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.width // self.head_dimension

    def _nearest_width(self) -> int:
        return max(1, round(self.width / self.head_dimension)) * self.head_dimension


class GPT(nn.Module):
    """The model; parameters are drawn as torch draws them until a plan initialises them.

    Args:
        shape: The sizes and options.
        multipliers: α of ``input``, ``hidden`` and ``output``; 1 where not given.

    Raises:
        ValueError: If there is a multiplier of another name.
    """

    def __init__(self, shape: GPTShape, multipliers: Mapping[str, float] | None = None) -> None:
        """Make the parameters."""
        super().__init__()
        given = dict(multipliers or {})
        if unknown := sorted(set(given) - set(MULTIPLIERS)):
            raise ValueError(f"unknown multipliers {unknown}: a GPT has {', '.join(MULTIPLIERS)}")
        self.shape = shape
        self.multipliers = {name: float(given.get(name, 1.0)) for name in MULTIPLIERS}
        n = shape.width
        self.tokens = nn.Embedding(shape.vocabulary, n)
        self.positions = nn.Embedding(shape.context, n)
        self.blocks = nn.ModuleList(Block(shape, self.multipliers) for _ in range(shape.depth))
        self.norm = _norm(shape, n)
        self.readout = nn.Linear(n, shape.vocabulary, bias=False)
        if shape.tied:
            self.readout.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the next token, for tokens (B, T)."""
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h)
        return self.multipliers["output"] * self.readout(self.norm(h))

    def features(self, tokens: Tensor) -> Tensor:
        """The residual stream h_0 … h_L between blocks, (L+1, B, T, n)."""
        stream = [self.embed(tokens)]
        for block in self.blocks:
            stream.append(block(stream[-1]))
        return torch.stack(stream)

    def embed(self, tokens: Tensor) -> Tensor:
        """h_0 (B, T, n).

        Raises:
            ValueError: If the sequence is longer than the context.
        """
        length = tokens.shape[-1]
        if length > self.shape.context:
            raise ValueError(
                f"a sequence of {length} tokens does not fit the context of {self.shape.context}"
            )
        positions = torch.arange(length, device=tokens.device)
        return self.multipliers["input"] * (self.tokens(tokens) + self.positions(positions))


class Block(nn.Module):
    """One residual block: h + α·attention, then h + α·MLP."""

    def __init__(self, shape: GPTShape, multipliers: Mapping[str, float]) -> None:
        """Share the model's multipliers, so that one change reaches every block."""
        super().__init__()
        self.multipliers = multipliers
        self.attention_norm, self.mlp_norm = _norm(shape, shape.width), _norm(shape, shape.width)
        self.attention, self.mlp = Attention(shape), MLP(shape)

    def forward(self, h: Tensor) -> Tensor:
        """The stream after this block, (B, T, n)."""
        alpha = self.multipliers["hidden"]
        h = h + alpha * self.attention(self.attention_norm(h))
        return h + alpha * self.mlp(self.mlp_norm(h))


class Attention(nn.Module):
    """Causal attention with heads of a fixed dimension."""

    def __init__(self, shape: GPTShape) -> None:
        """Four maps of the stream's width; separate matrices, as matrix optimizers need them."""
        super().__init__()
        n, d = shape.width, shape.head_dimension
        self.shape = shape
        self.query = nn.Linear(n, n, bias=shape.bias)
        self.key = nn.Linear(n, n, bias=shape.bias)
        self.value = nn.Linear(n, n, bias=shape.bias)
        self.out = nn.Linear(n, n, bias=shape.bias)
        self.query_norm = nn.RMSNorm(d) if shape.qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(d) if shape.qk_norm else nn.Identity()
        self.scale = float(d) ** ATTENTION_SCALES[shape.attention_scale]

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        q, k, v = (
            self._heads(m(h)) for m in (self.query, self.key, self.value)
        )  # (B, heads, T, d)
        q, k = self.query_norm(q), self.key_norm(k)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _heads(self, h: Tensor) -> Tensor:
        return h.unflatten(-1, (self.shape.heads, self.shape.head_dimension)).transpose(1, 2)


class MLP(nn.Module):
    """Two maps with a GELU between them, four times as wide as the stream inside."""

    def __init__(self, shape: GPTShape) -> None:
        """Make the two maps."""
        super().__init__()
        self.up = nn.Linear(shape.width, 4 * shape.width, bias=shape.bias)
        self.down = nn.Linear(4 * shape.width, shape.width, bias=shape.bias)

    def forward(self, h: Tensor) -> Tensor:
        """(B, T, n) to (B, T, n)."""
        return self.down(F.gelu(self.up(h)))


def _norm(shape: GPTShape, dimension: int) -> nn.Module:
    if shape.normalisation == "none":
        return nn.Identity()
    return nn.LayerNorm(dimension, bias=shape.bias)
