"""What decoders share: a stream of residual blocks between an embedding and a readout.

h_0     = embed(tokens)
h       = h + α_hidden · attention(norm(h))          one block: two branches
h       = h + α_hidden · mlp(norm(h))
logits  = α_out · W_out norm(h_L)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

ATTENTION_SCALES = {"1/d": -1.0, "1/sqrt(d)": -0.5}
MULTIPLIERS = ("input", "hidden", "output")


class Decoder(nn.Module):
    """A decoder; a model of it says what its norms, branches and embeddings are.

    Parameters are drawn as torch draws them until a plan initialises them.

    Args:
        shape: Sizes and options, with ``vocabulary``, ``context``, ``width`` and ``tied``.
        multipliers: α of ``input``, ``hidden`` and ``output``; 1 where not given.

    Raises:
        ValueError: If there is a multiplier of another name.
    """

    def __init__(self, shape: Any, multipliers: Mapping[str, float] | None = None) -> None:
        """Make the parameters, in the order in which they compute."""
        super().__init__()
        given = dict(multipliers or {})
        if unknown := sorted(set(given) - set(MULTIPLIERS)):
            known, kind = ", ".join(MULTIPLIERS), type(self).__name__
            raise ValueError(f"unknown multipliers {unknown}: a {kind} has {known}")
        self.shape = shape
        self.multipliers = {name: float(given.get(name, 1.0)) for name in MULTIPLIERS}
        self.tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.embed_beside()
        self.blocks = nn.ModuleList(self._block() for _ in range(shape.depth))
        self.norm = self.normalisation()
        self.readout = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.tied:
            self.readout.weight = self.tokens.weight

    def embed_beside(self) -> None:
        """Make what is embedded beside the tokens, if anything is."""

    def normalisation(self) -> nn.Module:
        """The norm before a branch, and before the readout."""
        raise NotImplementedError

    def branches(self) -> tuple[nn.Module, nn.Module]:
        """The attention and the MLP of a block, each (B, T, n) to (B, T, n)."""
        raise NotImplementedError

    def _block(self) -> Block:
        norms = self.normalisation(), self.normalisation()
        return Block(norms, *self.branches(), self.multipliers)

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
        return self.multipliers["input"] * self.embedding(tokens)

    def embedding(self, tokens: Tensor) -> Tensor:
        """What stands for the tokens, before its multiplier, (B, T, n)."""
        return self.tokens(tokens)


class Block(nn.Module):
    """One residual block: h + α·attention, then h + α·MLP.

    Args:
        norms: Of the attention and of the MLP.
        attention: (B, T, n) to (B, T, n).
        mlp: Likewise.
        multipliers: The model's own, so that one change reaches every block.
    """

    def __init__(
        self,
        norms: tuple[nn.Module, nn.Module],
        attention: nn.Module,
        mlp: nn.Module,
        multipliers: Mapping[str, float],
    ) -> None:
        """Keep the parts."""
        super().__init__()
        self.multipliers = multipliers
        self.attention_norm, self.mlp_norm = norms
        self.attention, self.mlp = attention, mlp

    def forward(self, h: Tensor) -> Tensor:
        """The stream after this block, (B, T, n)."""
        alpha = self.multipliers["hidden"]
        h = h + alpha * self.attention(self.attention_norm(h))
        return h + alpha * self.mlp(self.mlp_norm(h))


def heads(h: Tensor, dimension: int) -> Tensor:
    """(B, T, heads · d) to (B, heads, T, d)."""
    return h.unflatten(-1, (-1, dimension)).transpose(1, 2)


def check_heads(shape: Any) -> None:
    """Refuse a width that is no whole number of heads.

    Raises:
        ValueError: If the head dimension does not divide it.
    """
    d = shape.head_dimension
    if shape.width % d:
        nearest = max(1, round(shape.width / d)) * d
        raise ValueError(
            f"width {shape.width} is not divisible by head_dimension {d}: "
            f"take a multiple, such as {nearest}"
        )
