"""A model beside its base: every parameter in its place, every size at both."""

from __future__ import annotations

from dataclasses import dataclass

from specmup.parametrization.anatomy import Part
from specmup.parametrization.families import Family
from specmup.parametrization.places import PLACES


@dataclass(frozen=True)
class Growth:
    """One size at the target and at the base."""

    target: float
    base: float

    @property
    def ratio(self) -> float:
        """Target over base."""
        return self.target / self.base


@dataclass(frozen=True)
class Member:
    """A part of the model in its place.

    Args:
        part: The parameters.
        place: A key of :data:`specmup.parametrization.places.PLACES`.
        role: One of :data:`specmup.theory.tables.ROLES`.
        fan_out: Number of outputs.
        fan_in: Number of inputs; 1 for vectors and for one-hot inputs.
        depth: Number of blocks of the list in which it stands; 1 outside, where nothing is summed
            over blocks.
        tied: Whether it is an embedding that is also the head.
    """

    part: Part
    place: str
    role: str
    fan_out: Growth
    fan_in: Growth
    depth: Growth
    tied: bool

    @property
    def is_vector(self) -> bool:
        """Whether it is a bias, a gain or another vector."""
        return self.role not in ("input", "hidden", "output")

    @property
    def multiplier_role(self) -> str | None:
        """The role whose multiplier stands in front of it; None behind the last block."""
        return PLACES[self.place].multiplier

    @property
    def transposed(self) -> bool:
        """Whether it is stored as (n_in, n_out)."""
        return self.part.transposed


@dataclass(frozen=True)
class Comparison:
    """A model beside its base.

    Args:
        members: In the order of the model's parameters.
        width: Of the residual stream.
        depth: Number of blocks, of the longest list if there are several.
        block_depth: Number k of maps in a branch.
        family: None for an architecture that was declared.
    """

    members: tuple[Member, ...]
    width: Growth
    depth: Growth
    block_depth: int
    family: Family | None

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding's tensor."""
        return any(member.tied for member in self.members)

    @property
    def at_base(self) -> bool:
        """Whether the model is as large as its base."""
        fans = [f for m in self.members for f in (m.fan_out, m.fan_in, m.depth)]
        return all(size.target == size.base for size in (self.width, self.depth, *fans))
