"""What a plan must be told, asked all at once, with a declaration that answers it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specmup.inspection.places import PLACES


@dataclass(frozen=True)
class Declaration:
    """What :func:`specmup.parametrization.plan.make_plan` can be told of an architecture.

    Args:
        branch_ends: Patterns of what ends a branch.
        places: Pattern to place.
        block_depth: Number k of maps in a branch; None where it needs none.
    """

    branch_ends: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    block_depth: int | None = None

    @classmethod
    def of(
        cls,
        branch_ends: str | Sequence[str],
        places: Mapping[str, str] | None,
        block_depth: int | None,
    ) -> Declaration:
        """What the arguments of ``make_plan`` declare."""
        ends = (branch_ends,) if isinstance(branch_ends, str) else tuple(branch_ends)
        return cls(ends, places or {}, block_depth)

    @property
    def given(self) -> dict[str, Any]:
        """As arguments of ``make_plan``, without what is not told."""
        told = {
            "branch_ends": list(self.branch_ends),
            "block_depth": self.block_depth,
            "places": dict(self.places),
        }
        return {name: value for name, value in told.items() if value}

    def as_python(self) -> str:
        """To paste into a call."""
        return ", ".join(f"{name}={value!r}" for name, value in self.given.items())

    def as_options(self) -> str:
        """To paste into a command."""
        words = ["--branch-ends", *self.branch_ends] if self.branch_ends else []
        if self.block_depth is not None:
            words += ["--block-depth", str(self.block_depth)]
        if self.places:
            words += ["--places", *(f"{pattern}={place}" for pattern, place in self.places.items())]
        return shlex.join(words)


class Undeclared(ValueError):
    """Something of the model is not known; :attr:`proposal` would answer it.

    Args:
        proposal: A whole declaration: what was declared, and a guess at what was not.
        reasons: Sentences: what is not known, and why the proposal says what it says.
        architecture: Name of the known architecture to which the model belongs but for that.
    """

    def __init__(
        self, proposal: Declaration, reasons: Sequence[str], architecture: str | None
    ) -> None:
        """Put the message together: the proposal first, the reasons below."""
        self.proposal, self.reasons, self.architecture = proposal, tuple(reasons), architecture
        known = "of this architecture" if architecture is None else f"in a {architecture}"
        lines = "\n".join(f"- {reason}" for reason in reasons)
        if len(proposal.places):
            lines += "\nplaces: " + "; ".join(f"{n}, {p.means}" for n, p in PLACES.items())
        super().__init__(
            f"not all is known {known}: check this proposal and declare it, "
            f"{proposal.as_python()}\n{lines}"
        )

    def because(self, notes: Sequence[str]) -> Undeclared:
        """The same with further reasons."""
        return Undeclared(self.proposal, (*self.reasons, *notes), self.architecture)
