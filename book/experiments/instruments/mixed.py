"""Residual networks whose blocks differ: branches of one and of more maps, in turn or in parallel.

A block may hold several branches, which read the same features and whose outputs are added:

    h_l = h_{l-1} + Σ_j α_{k_j} f_{l,j}(h_{l-1}),    f_{l,j} a branch of k_j maps

Each block depth k is a role of its own, ``hidden1`` and ``hidden2`` for instance, with its own
multiplier, start and learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from specmup.models.residual import ResidualNetwork, ResNetShape

Pattern = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class MixedShape(ResNetShape):
    """A residual network whose blocks repeat a pattern.

    Args:
        pattern: For each block in turn, the number of maps in each of its branches.
            ``((1,), (2,))`` alternates blocks of one and of two maps; ``((1, 2),)`` puts both into
            every block.
        block_depth: Not given but read off the pattern: its largest entry.

    Raises:
        ValueError: If the depth is no multiple of the pattern's length, a branch has no map, or
            biases are asked for.
    """

    pattern: Pattern

    def __post_init__(self) -> None:
        """Check the pattern."""
        if not self.pattern or min(k for block in self.pattern for k in block or (0,)) < 1:
            raise ValueError(f"pattern {self.pattern} has a block or branch without a map")
        object.__setattr__(self, "block_depth", max(k for block in self.pattern for k in block))
        super().__post_init__()
        if self.depth % len(self.pattern):
            raise ValueError(
                f"depth {self.depth} is no multiple of the {len(self.pattern)} blocks of pattern "
                f"{self.pattern}: the network would hold more blocks of one kind"
            )
        if self.bias:
            raise ValueError("blocks that differ have no biases here: leave bias at False")

    @property
    def branches(self) -> dict[int, int]:
        """How many branches of each block depth the network has, the shallow ones first."""
        depths = [k for block in self.pattern for k in block]
        repeats = self.depth // len(self.pattern)
        return {k: repeats * depths.count(k) for k in sorted(set(depths))}

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter, by role."""
        n = self.width
        hidden = {f"hidden{k}": (count, k, n, n) for k, count in self.branches.items()}
        return {"input": (n, self.inputs), **hidden, "output": (self.outputs, n)}


class MixedResNet(ResidualNetwork):
    """A residual network of a :class:`MixedShape`, or R of them stacked.

    Parameters are ``input``, ``output`` and ``hidden<k>`` (R?, branches, k, n, n) for each block
    depth k of the pattern, in the order in which the features meet them. It is no
    :class:`~specmup.models.resnet.ResNet`: what reads a block's one branch cannot read these.
    """

    shape: MixedShape

    def additions(self) -> Iterator[Callable[[Tensor], Tensor]]:
        """What each block adds, all its branches together."""
        waiting = {}
        for k in self.shape.branches:
            maps = self.get_parameter(f"hidden{k}").flatten(-4, -3).unbind(-3)
            waiting[k] = iter([maps[i : i + k] for i in range(0, len(maps), k)])
        for block in self.shape.pattern * (self.shape.depth // len(self.shape.pattern)):
            yield partial(self._added, [next(waiting[k]) for k in block])

    def _added(self, branches: Sequence[Sequence[Tensor]], h: Tensor) -> Tensor:
        parts = (self.multipliers[f"hidden{len(m)}"] * self.branch(h, m) for m in branches)
        return sum(parts, start=h.new_zeros(()))
