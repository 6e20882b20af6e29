"""What residual networks of linear maps have in common, whatever stands in their blocks.

One module serves a single network and R networks trained side by side: every parameter may carry
a leading replica dimension, and ``h @ W.mT`` broadcasts over it. Replicas share nothing but the
shape and the multipliers, so each computes what it would compute alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specmup.models.shape_checks import check_options, check_sizes

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda h: h,
    "relu": torch.relu,
    "abs": torch.abs,
}
PLACEMENTS = ("post", "pre")


@dataclass(frozen=True)
class ResNetShape:
    """What a residual network is, apart from its numbers.

    Args:
        inputs: Dimension d of a sample.
        width: Dimension n of the residual stream.
        depth: Number L of residual blocks.
        outputs: Number c of logits.
        block_depth: Number k of linear maps in a branch. The activation stands between the maps;
            a branch of one map ends with it.
        activation: One of ``linear``, ``relu``, ``abs``.
        mean_subtraction: Subtract, after each activation, the mean over the width (``yang2024``).
        bias: Add a bias to the input map and to every map of a branch.
        placement: ``post`` as said above, or ``pre``: the activation stands before every map of a
            branch, the first included, and none after the last.

    Raises:
        ValueError: If a size is below 1, or the activation or its placement is unknown.
    """

    inputs: int
    width: int
    depth: int
    outputs: int
    block_depth: int = 2
    activation: str = "relu"
    mean_subtraction: bool = False
    bias: bool = False
    placement: str = "post"

    def __post_init__(self) -> None:
        """Refuse sizes below 1, unknown activations and unknown placements."""
        check_sizes(self, ("inputs", "width", "depth", "outputs", "block_depth"))
        check_options(self, {"activation": ACTIVATIONS, "placement": PLACEMENTS})

    @property
    def weights(self) -> list[str]:
        """Roles of the matrices: each has a multiplier and a random start."""
        return [role for role in self.parameters if not role.endswith("bias")]

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter, by role."""
        n, blocks = self.width, (self.depth, self.block_depth)
        shapes = {
            "input": (n, self.inputs),
            "hidden": (*blocks, n, n),
            "output": (self.outputs, n),
        }
        if self.bias:
            shapes |= {"input_bias": (n,), "hidden_bias": (*blocks, n)}
        return shapes


class ResidualNetwork(nn.Module):
    """A residual stream between an input and an output map, or R of them stacked.

    Parameters are named by their role, with an optional leading replica dimension R. They start at
    zero; see :func:`specmup.models.resnet.initialise`.

    Args:
        shape: The sizes and the activation.
        multipliers: α of each role of the shape's weights. A bias stands inside the bracket of its
            map and has no multiplier of its own; other roles are ignored.
        replicas: Number R of stacked networks; None for a single one without that dimension.

    Raises:
        ValueError: If a multiplier is missing or ``replicas`` is below 1.
    """

    input: nn.Parameter
    hidden: nn.Parameter
    output: nn.Parameter
    input_bias: nn.Parameter
    hidden_bias: nn.Parameter

    def __init__(
        self, shape: ResNetShape, multipliers: Mapping[str, float], replicas: int | None = None
    ) -> None:
        """Make parameters of the right shapes, all zero."""
        super().__init__()
        if missing := [role for role in shape.weights if role not in multipliers]:
            raise ValueError(f"no multiplier for {', '.join(missing)}: a ResNet needs it")
        if replicas is not None and replicas < 1:
            raise ValueError(f"replicas is {replicas}: give at least 1, or None for a plain model")
        self.shape = shape
        self.multipliers = {role: float(multipliers[role]) for role in shape.weights}
        self.replicas = replicas
        leading = () if replicas is None else (replicas,)
        for role, size in shape.parameters.items():
            self.register_parameter(role, nn.Parameter(torch.zeros(*leading, *size)))

    def additions(self) -> Iterable[Callable[[Tensor], Tensor]]:
        """For each block, what it adds to the features that enter it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Logits (R?, batch, c) of samples x: (R?, batch, d), or (batch, d) for all replicas."""
        h = self._embedded(x)
        for added in self.additions():
            h = h + added(h)
        return self.multipliers["output"] * (h @ self.output.mT)

    def features(self, x: Tensor) -> Tensor:
        """The residual stream h_0 … h_L, shaped (L+1, R?, batch, n)."""
        stream = [self._embedded(x)]
        for added in self.additions():
            stream.append(stream[-1] + added(stream[-1]))
        return torch.stack(stream)

    def _embedded(self, x: Tensor) -> Tensor:
        """h_0, (R?, batch, n)."""
        self._check(x)
        h = x @ self.input.mT
        if self.shape.bias:
            h = h + self.input_bias.unsqueeze(-2)
        return self.multipliers["input"] * h

    def branch(self, h: Tensor, maps: Sequence[Tensor], biases: Sequence[Tensor] = ()) -> Tensor:
        """f(h) for one block's maps: φ between maps, none after the last; φ(Wh) for one map.

        A pre-activation branch has φ before each map.
        """
        before = self.shape.placement == "pre"
        activated = 0 if before else max(1, len(maps) - 1)
        for i, weight in enumerate(maps):
            h = (self.activate(h) if before else h) @ weight.mT
            if biases:
                h = h + biases[i].unsqueeze(-2)
            if i < activated:
                h = self.activate(h)
        return h

    def activate(self, h: Tensor) -> Tensor:
        """φ, and the mean over the width subtracted where the shape asks for it."""
        h = ACTIVATIONS[self.shape.activation](h)
        return h - h.mean(-1, keepdim=True) if self.shape.mean_subtraction else h

    def _check(self, x: Tensor) -> None:
        leading = "" if self.replicas is None else f"{self.replicas}, "
        shared, own = x.ndim == 2, x.ndim == 3 and x.shape[0] == self.replicas
        if x.shape[-1:] != (self.shape.inputs,) or not (shared or own):
            raise ValueError(
                f"input has shape {tuple(x.shape)}: this model takes "
                f"({leading}batch, {self.shape.inputs})"
            )
