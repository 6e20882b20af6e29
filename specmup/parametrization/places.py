"""Where a parameter stands in a residual network: told by a declaration, a family or a shape.

A place says what a parameter does; with its shape it gives the role that the rules speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from specmup.parametrization.anatomy import Anatomy, Part
from specmup.parametrization.families import Family


@dataclass(frozen=True)
class Place:
    """What the parameters of one module do in the network.

    Args:
        matrix: Role of a matrix here; None where no matrix may stand.
        vector: Role of a bias or any other vector here; None where none may stand.
        gain: Role of a normalisation's gain here; None where none may stand.
        multiplier: Role of the multiplier in front; None where there is none.
    """

    matrix: str | None = None
    vector: str | None = None
    gain: str | None = None
    multiplier: str | None = None


# A normalisation's bias inside a branch meets the same sizes as a bias between two maps, and one
# after the last block the same as an input bias: see the comment on the roles in theory/tables.py.
PLACES: dict[str, Place] = {
    # A one-hot input: one input at a time, each row a vector of the stream's width.
    "embedding": Place("input", "input_bias", multiplier="input"),
    "input": Place("input", "input_bias", "input_bias", multiplier="input"),
    "branch": Place("hidden", "hidden_bias", multiplier="hidden"),
    "branch_end": Place("hidden", "hidden_bias", "norm_gain", multiplier="hidden"),
    "branch_norm": Place(None, "hidden_bias", "norm_gain", multiplier="hidden"),
    "final_norm": Place(None, "input_bias", "input_bias"),
    "head": Place("output", "input_bias", multiplier="output"),
}


def role_of(part: Part, place: str) -> str | None:
    """The role of a parameter in a place; None if no such parameter may stand there."""
    kinds = PLACES[place]
    if part.is_gain:
        return kinds.gain
    return kinds.vector if part.is_vector else kinds.matrix


class Locator:
    """Finds places: by declaration, then by family, then by shape.

    Args:
        target: The model.
        small: The base, with the same parts.
        family: None where all is to be found by shape.
        declared: Place by name, of parts that were declared.
    """

    def __init__(
        self,
        target: Anatomy,
        small: Anatomy,
        family: Family | None,
        declared: Mapping[str, str],
    ) -> None:
        """Keep what tells."""
        self.target, self.small, self.family, self.declared = target, small, family, declared

    def __call__(self, part: Part) -> str:
        """The place of a part.

        Raises:
            ValueError: If nothing tells it, or it is tied to what it may not be tied to.
        """
        place = self._of(part)
        if place is None or role_of(part, place) is None:
            known = "" if self.family is None else f" in a {self.family.name}"
            raise ValueError(
                f"{part.names[0]}, of shape {part.shape}, has no known place{known}: declare it, "
                f"places={{{part.pattern!r}: …}} with one of {', '.join(PLACES)}"
            )
        self._check_tie(part, place)
        return place

    def _of(self, part: Part) -> str | None:
        if (place := self.declared.get(part.pattern)) is not None:
            return place
        weight = self._weight_beside(part)
        if weight is not None and (self.family is None or weight.pattern in self.declared):
            return self(weight)  # a bias stands where its module's matrix or gain does
        if self.family is not None:
            return self.family.place(part.pattern)
        return self._in_block(part) if part.blocks is not None else self._outside(part)

    def _weight_beside(self, part: Part) -> Part | None:
        if not part.pattern.endswith("bias"):
            return None
        return self.target.parts.get(f"{part.pattern.removesuffix('bias')}weight")

    def _in_block(self, part: Part) -> str | None:
        if part.is_gain:
            return "branch_norm"
        if part.is_vector:
            return "branch" if part.pattern.endswith("bias") else None
        out, into = self._grows(part)
        return "branch" if out == into and part.oriented else None

    def _outside(self, part: Part) -> str | None:
        if issubclass(part.module, nn.Embedding):
            return "embedding"
        if part.is_vector:
            # Wherever outside the blocks it stands, the rule is that of an input's bias.
            return "input" if part.is_gain or part.pattern.endswith("bias") else None
        if not part.oriented:
            return None
        out, into = self._grows(part)
        if out != into:
            return "input" if out else "head"
        # Without growth in width all factors outside the blocks are one: the order may tell.
        return None if self._any_width_grows() else self._by_order(part)

    def _grows(self, part: Part) -> tuple[bool, bool]:
        before = self.small.parts[part.pattern].fans()
        return tuple(t != b for t, b in zip(part.fans(), before, strict=True))

    def _by_order(self, part: Part) -> str:
        in_blocks = [p.blocks is not None for p in self.target.parts.values()]
        before = list(self.target.parts).index(part.pattern) < in_blocks.index(True)
        return "input" if before else "head"

    def _any_width_grows(self) -> bool:
        return any(p.shape != self.small.parts[p.pattern].shape for p in self.target.parts.values())

    def _check_tie(self, part: Part, place: str) -> None:
        for alias in part.aliases:
            other = "head" if self.family is None else self.family.place(alias)
            if (place, other) != ("embedding", "head"):
                raise ValueError(
                    f"{part.names[0]} and {alias} are one tensor, as {place} and {other}: only an "
                    "embedding and the head may be tied; untie them"
                )


def declared_places(
    target: Anatomy, branch_ends: Sequence[str], places: Mapping[str, str]
) -> dict[str, str]:
    """Place by parameter, of those that are declared.

    Raises:
        ValueError: If a place is unknown, or a pattern fits no parameter.
    """
    wanted = dict(places) | dict.fromkeys(branch_ends, "branch_end")
    for pattern, place in wanted.items():
        if place not in PLACES:
            raise ValueError(
                f"unknown place {place!r} for {pattern}: choose one of {', '.join(PLACES)}"
            )
        if not any(names_match(name, pattern) for name in target.parts):
            raise ValueError(
                f"{pattern!r} is declared as {place}, but no parameter has such a name: the names "
                f"are {', '.join(target.parts)}"
            )
    found = {}
    for name in target.parts:
        fits = [place for pattern, place in wanted.items() if names_match(name, pattern)]
        if fits:
            found[name] = fits[0]
    return found


def names_match(name: str, pattern: str) -> bool:
    """Whether the pattern fits the parameter's whole name, its end, or a module that holds it."""
    return any(
        fnmatchcase(name, form)
        for form in (pattern, f"*.{pattern}", f"{pattern}.*", f"*.{pattern}.*")
    )
