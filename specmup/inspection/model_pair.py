"""A model beside its base: every parameter in its place, every size at both."""

from __future__ import annotations

from dataclasses import dataclass

from specmup.inspection.architectures import Architecture
from specmup.inspection.own_start import OwnStart
from specmup.inspection.places import PLACES
from specmup.inspection.specs import ParamSpec
from specmup.theory.update import UpdateLaw


@dataclass(frozen=True)
class ScaledDim:
    """One size at the target and at the base."""

    target: float
    base: float

    @property
    def ratio(self) -> float:
        """Target over base."""
        return self.target / self.base


@dataclass(frozen=True)
class ScaledParam:
    """Parameters that do the same, in their place, at the target and at the base.

    Args:
        spec: The parameters.
        place: A key of :data:`specmup.inspection.places.PLACES`.
        role: One of :data:`specmup.theory.tables.ROLES`.
        before: The same at the base.
        fan_out: Number of outputs.
        fan_in: Number of inputs; 1 for vectors and for one-hot inputs.
        depth: Number of blocks of the list in which it stands; 1 outside, where nothing is summed
            over blocks.
        tied: Whether it is an embedding that is also the head.
        law: Of what trains it, the pair's optimizer or its companion, as it is run on this.
        own: The constant in series with it by which the model's own forward pass multiplies.
        own_as_head: Of a tied matrix, the same where it is the head.
        offset: What the forward pass adds to it before it acts: 1 for a gain kept as 1 + w.
        uses: How many branches each of them acts in; one that acts in all of them, as a first
            block's table of distances does, learns from the sum of what each would learn.
        own_start: How it starts of itself; None where no start was seen.
    """

    spec: ParamSpec
    place: str
    role: str
    before: ParamSpec
    fan_out: ScaledDim
    fan_in: ScaledDim
    depth: ScaledDim
    law: UpdateLaw
    tied: bool = False
    own: ScaledDim = ScaledDim(1, 1)
    own_as_head: ScaledDim = ScaledDim(1, 1)
    offset: float = 0.0
    uses: ScaledDim = ScaledDim(1, 1)
    own_start: OwnStart | None = None

    @property
    def is_vector(self) -> bool:
        """Whether it is a bias, a gain or another vector."""
        return self.role not in ("input", "hidden", "output")

    @property
    def groups(self) -> ScaledDim:
        """Of a convolution: how many parts of the channels are mapped each for itself."""
        return ScaledDim(self.spec.groups, self.before.groups)

    @property
    def start_kind(self) -> str:
        """How it starts: as was seen, or a constant for a gain and drawn for all else."""
        if self.own_start is not None:
            return self.own_start.kind
        return "constant" if self.spec.is_gain else "drawn"

    @property
    def is_blank(self) -> bool:
        """Whether it starts at zero without being a gain: a size that is given means a draw."""
        own = self.own_start
        return own is not None and own.constant == 0 and not self.spec.is_gain

    @property
    def multiplier_role(self) -> str | None:
        """The role whose multiplier stands in front of it; None behind the last block."""
        return PLACES[self.place].multiplier


@dataclass(frozen=True)
class ModelPair:
    """A model beside its base.

    Args:
        params: In the order of the model's parameters.
        width: Of the residual stream.
        depth: Number of blocks, of the longest list if there are several.
        block_depth: Number k of maps in a branch.
        architecture: None for one that was declared, or seen in the forward pass.
        told_by: Its name; what told it if it has none; None if only a declaration did.
        law: The update law of the optimizer that was asked for.
    """

    params: tuple[ScaledParam, ...]
    width: ScaledDim
    depth: ScaledDim
    block_depth: int
    architecture: Architecture | None
    told_by: str | None
    law: UpdateLaw

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding's tensor."""
        return any(param.tied for param in self.params)

    @property
    def at_base(self) -> bool:
        """Whether the model is as large as its base."""
        fans = [f for m in self.params for f in (m.fan_out, m.fan_in, m.depth)]
        return all(size.target == size.base for size in (self.width, self.depth, *fans))
