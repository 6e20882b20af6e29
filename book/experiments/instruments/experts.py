"""A residual network of mixtures of experts.

    h_l = h_{l-1} + α Σ_{e chosen} g_e(ĥ) W_down,e φ(W_up,e ĥ),    ĥ = h_{l-1}/‖h_{l-1}‖_R

The logits of the gates g are W_router ĥ. A token's K experts are those of the largest logits, or,
with ``fair`` routing, K that depend on nothing that a rule could move: each expert then sees a fair
sample of all tokens, as the derivation assumes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specmup.norms import rms_norm
from specmup.streams import stream

ROUTING = ("fair", "own")


@dataclass(frozen=True)
class ExpertShape:
    """Sizes of a network of experts.

    Args:
        inputs: Dimension of a sample.
        width: Of the stream, and inside an expert.
        depth: Number L of blocks.
        classes: Number of outputs.
        experts: Number E in a block.
        active: Number K that a sample meets.
        gates: One of :data:`specmup.theory.counts.GATES`.
        routing: ``fair`` or ``own``.
    """

    inputs: int
    width: int
    depth: int
    classes: int
    experts: int
    active: int
    gates: str = "chosen"
    routing: str = "fair"


class ExpertNet(nn.Module):
    """The network; its parameters are named by what they do.

    Args:
        shape: Its sizes.
        multiplier: α in front of each sum over experts.
        seed: Of the start: each map keeps the size of what it reads, the readout and the rows of
            the router are smaller by the root of the width.
    """

    def __init__(self, shape: ExpertShape, multiplier: float, seed: int) -> None:
        """Draw the parameters."""
        super().__init__()
        n, stacked = shape.width, (shape.depth, shape.experts)
        self.shape, self.multiplier = shape, multiplier
        generator = stream("weights", seed)

        def drawn(*size: int, std: float) -> nn.Parameter:
            return nn.Parameter(std * torch.randn(size, generator=generator))

        self.input = drawn(n, shape.inputs, std=shape.inputs**-0.5)
        self.up = drawn(*stacked, n, n, std=n**-0.5)
        self.down = drawn(*stacked, n, n, std=n**-0.5)
        self.router = drawn(*stacked, n, std=1 / n)
        self.output = drawn(shape.classes, n, std=1 / n)
        # Fixed directions, by which fair routing draws lots for each sample.
        self.lots = torch.randn(*stacked, shape.inputs, generator=stream("check", 0))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) of samples (batch, inputs)."""
        return self.features(x) @ self.output.mT

    def features(self, x: Tensor) -> Tensor:
        """The stream after the last block, (batch, n)."""
        h = x @ self.input.mT
        for block in range(self.shape.depth):
            read = h / rms_norm(h).unsqueeze(-1)
            opened = self.opened(read @ self.router[block].mT, x, block)  # (batch, E)
            inside = torch.einsum("bi,eoi->ebo", read, self.up[block])
            inside = inside * opened.mT.unsqueeze(-1)
            written = torch.einsum("ebi,eoi->bo", inside, self.down[block])
            h = h + self.multiplier * written
        return h

    def opened(self, logits: Tensor, x: Tensor, block: int) -> Tensor:
        """The gates (batch, E), zero where an expert is not chosen.

        Raises:
            ValueError: If the shape's gates or routing are unknown.
        """
        chosen = self._chosen(logits, x, block)
        of_chosen = logits.gather(-1, chosen)
        kinds = {
            "chosen": lambda: of_chosen.softmax(-1),
            "all": lambda: logits.softmax(-1).gather(-1, chosen),
            "sigmoid": of_chosen.sigmoid,
        }
        if self.shape.gates not in kinds:
            raise ValueError(f"unknown gates {self.shape.gates!r}: choose one of {list(kinds)}")
        return torch.zeros_like(logits).scatter(-1, chosen, kinds[self.shape.gates]())

    def _chosen(self, logits: Tensor, x: Tensor, block: int) -> Tensor:
        """Numbers of the experts that each sample meets, (batch, K)."""
        if self.shape.routing == "own":
            return logits.topk(self.shape.active).indices
        if self.shape.routing == "fair":
            lots = (1e4 * (x @ self.lots[block].mT).sin()).frac()  # (batch, E)
            return lots.topk(self.shape.active).indices
        raise ValueError(f"unknown routing {self.shape.routing!r}: choose one of {ROUTING}")
