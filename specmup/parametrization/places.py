"""Where a parameter stands in a residual network: told by a declaration, an architecture, a shape.

A place says what a parameter does; with its shape it gives the role that the rules speak of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from specmup.parametrization.architectures import Architecture
from specmup.parametrization.specs import ModelSpec, ParamSpec


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
    # A normalisation of the stream itself, behind an addition: no multiplier stands in front, and
    # each of the L changes what all later ones read.
    "stream_norm": Place(None, "hidden_bias", "norm_gain"),
    "final_norm": Place(None, "input_bias", "input_bias"),
    "head": Place("output", "input_bias", multiplier="output"),
}


def role_of(spec: ParamSpec, place: str) -> str:
    """The role of a parameter in a place.

    Raises:
        ValueError: If no such parameter may stand there.
    """
    if (role := _role(spec, place)) is None:
        raise ValueError(f"{spec.pattern}, of shape {spec.shape}, may not stand as {place}")
    return role


def _role(spec: ParamSpec, place: str) -> str | None:
    kinds = PLACES[place]
    if spec.is_gain:
        return kinds.gain
    return kinds.vector if spec.is_vector else kinds.matrix


@dataclass(frozen=True)
class Evidence:
    """What tells places: a declaration, then an architecture, then shapes.

    Args:
        target: The model.
        base: The base, with the same parameters.
        architecture: None where all is to be found by shape.
        declared: Place by pattern, of parameters that were declared.
    """

    target: ModelSpec
    base: ModelSpec
    architecture: Architecture | None
    declared: Mapping[str, str]

    def grows(self, spec: ParamSpec) -> tuple[bool, bool]:
        """Whether a parameter's outputs and its inputs grow from the base to the target."""
        (out, into), (out_before, into_before) = spec.fans(), self.base.params[spec.pattern].fans()
        return out != out_before, into != into_before

    def any_width_grows(self) -> bool:
        """Whether any parameter has another shape than at the base."""
        before = self.base.params
        return any(spec.shape != before[name].shape for name, spec in self.target.params.items())


def place_of(spec: ParamSpec, evidence: Evidence) -> str:
    """The place of a parameter.

    Raises:
        ValueError: If nothing tells it, or it is tied to what it may not be tied to.
    """
    architecture = evidence.architecture
    place = _found(spec, evidence)
    if place is None or _role(spec, place) is None:
        known = "" if architecture is None else f" in a {architecture.name}"
        raise ValueError(
            f"{spec.names[0]}, of shape {spec.shape}, has no known place{known}: declare it, "
            f"places={{{spec.pattern!r}: …}} with one of {', '.join(PLACES)}"
        )
    for alias in spec.aliases:
        other = "head" if architecture is None else architecture.place(alias)
        if (place, other) != ("embedding", "head"):
            raise ValueError(
                f"{spec.names[0]} and {alias} are one tensor, as {place} and {other}: only an "
                "embedding and the head may be tied; untie them"
            )
    return place


def _found(spec: ParamSpec, evidence: Evidence) -> str | None:
    architecture, declared = evidence.architecture, evidence.declared
    if (place := declared.get(spec.pattern)) is not None:
        return place
    if spec.pattern.endswith("bias"):
        # A bias stands where its module's matrix or gain does.
        weight = evidence.target.params.get(f"{spec.pattern.removesuffix('bias')}weight")
        if weight is not None and (architecture is None or weight.pattern in declared):
            return place_of(weight, evidence)
    if architecture is not None:
        return architecture.place(spec.pattern)
    return _in_block(spec, evidence) if spec.blocks is not None else _outside(spec, evidence)


def _in_block(spec: ParamSpec, evidence: Evidence) -> str | None:
    if spec.is_gain:
        return "branch_norm"
    if spec.is_vector:
        return "branch" if spec.pattern.endswith("bias") else None
    out, into = evidence.grows(spec)
    return "branch" if out == into and spec.oriented else None


def _outside(spec: ParamSpec, evidence: Evidence) -> str | None:
    if issubclass(spec.module, nn.Embedding):
        return "embedding"
    if spec.is_vector:
        # Wherever outside the blocks it stands, the rule is that of an input's bias.
        return "input" if spec.is_gain or spec.pattern.endswith("bias") else None
    if not spec.oriented:
        return None
    out, into = evidence.grows(spec)
    if out != into:
        return "input" if out else "head"
    if evidence.any_width_grows():
        return None
    # Without growth in width all factors outside the blocks are one: the order may tell.
    in_blocks = [other.blocks is not None for other in evidence.target.params.values()]
    before = list(evidence.target.params).index(spec.pattern) < in_blocks.index(True)
    return "input" if before else "head"


def declared_places(
    target: ModelSpec, branch_ends: Sequence[str], places: Mapping[str, str]
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
        if not any(names_match(name, pattern) for name in target.params):
            raise ValueError(
                f"{pattern!r} is declared as {place}, but no parameter has such a name: the names "
                f"are {', '.join(target.params)}"
            )
    found = {}
    for name in target.params:
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
