"""Residual networks whose branches are gated, as a Llama's perceptrons are, and others beside them.

    h_l = h_{l-1} + α W_down (φ(W_gate ĥ) ⊙ W_up ĥ),    ĥ = h_{l-1}/‖h_{l-1}‖_R

A branch holds three maps: the first gates what the second writes, and the third reads the product.
The features are normalised before it, as a branch that multiplies two maps of them would otherwise
grow with their square; so they are before the maps in a row that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional as F

from specmup.models.resnet import ResNet
from specmup.norms import rms_norm


class NormalisedResNet(ResNet):
    """A residual network, or R of them stacked, whose branches read normalised features."""

    def branch(self, h: Tensor, maps: Sequence[Tensor], biases: Sequence[Tensor] = ()) -> Tensor:
        """What a block's maps make of the features h (R?, batch, n)."""
        return super().branch(normalised(h), maps, biases)


class GatedResNet(ResNet):
    """A residual network of gated branches, or R of them stacked; block depth 3, no biases.

    The hidden parameter (R?, L, 3, n, n) holds gate, up and down of every block. All else is as in
    a :class:`~specmup.models.resnet.ResNet`. The gate is φ(g) = g, whatever the shape's activation.
    """

    opened: Callable[[Tensor], Tensor] = staticmethod(lambda gate: gate)

    def branch(self, h: Tensor, maps: Sequence[Tensor], biases: Sequence[Tensor] = ()) -> Tensor:
        """What a block's three maps make of the features h (R?, batch, n).

        Raises:
            ValueError: If there are not three maps, or there are biases.
        """
        if len(maps) != 3 or biases:
            raise ValueError(
                f"{len(maps)} maps and {len(biases)} biases: a gated branch has gate, up and down, "
                "so give the shape the block depth 3 and no bias"
            )
        gate, up, down = maps
        h = normalised(h)
        return (self.opened(h @ gate.mT) * (h @ up.mT)) @ down.mT


class SiLUGatedResNet(GatedResNet):
    """The same with φ = SiLU, as SwiGLU has it."""

    opened = staticmethod(F.silu)


def normalised(h: Tensor) -> Tensor:
    """Features of RMS size one, (R?, batch, n)."""
    return h / rms_norm(h).unsqueeze(-1)
