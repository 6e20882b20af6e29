"""What a parameter may do in a residual network: its place; with its shape, its role.

A place is found by :mod:`specmup.inspection.finding`, or declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from specmup.inspection.specs import ModelSpec, ParamSpec


@dataclass(frozen=True)
class Place:
    """What the parameters of one module do in the network.

    Args:
        means: In a few words, for whoever must declare one.
        matrix: Role of a matrix here; None where no matrix may stand.
        vector: Role of a bias or any other vector here; None where none may stand.
        gain: Role of a normalisation's gain here; None where none may stand.
        multiplier: Role of the multiplier in front; None where there is none.
    """

    means: str
    matrix: str | None = None
    vector: str | None = None
    gain: str | None = None
    multiplier: str | None = None


# A normalisation's bias inside a branch meets the same sizes as a bias between two maps, and one
# after the last block the same as an input bias: see the comment on the roles in theory/tables.py.
PLACES: dict[str, Place] = {
    # A one-hot input: one input at a time, each row a vector of the stream's width.
    "embedding": Place("rows that are added to the stream", "input", "input_bias", None, "input"),
    "input": Place("leads into the stream", "input", "input_bias", "input_bias", "input"),
    "branch": Place("inside a branch", "hidden", "hidden_bias", None, "hidden"),
    "branch_end": Place(
        "last in a branch: what it gives is added to the stream",
        *("hidden", "hidden_bias", "norm_gain", "hidden"),
    ),
    "branch_norm": Place("a normalisation in a block", None, "hidden_bias", "norm_gain", "hidden"),
    # A normalisation of the stream itself, behind an addition, or a gain or offset of it: no
    # multiplier stands in front, and each of the L changes what all later ones read.
    "stream_norm": Place(
        "a normalisation or gain of the stream itself", None, "hidden_bias", "norm_gain"
    ),
    "final_norm": Place("a normalisation before the head", None, "input_bias", "input_bias"),
    "head": Place("leads out of the stream", "output", "input_bias", None, "output"),
}


def role_of(spec: ParamSpec, place: str) -> str:
    """The role of a parameter in a place.

    Raises:
        ValueError: If no such parameter may stand there.
    """
    if (role := possible_role(spec, place)) is None:
        raise ValueError(f"{spec.pattern}, of shape {spec.shape}, may not stand as {place}")
    return role


def possible_role(spec: ParamSpec, place: str) -> str | None:
    """The role of a parameter in a place; None if no such parameter may stand there."""
    kinds = PLACES[place]
    if spec.is_gain:
        return kinds.gain
    return kinds.vector if spec.is_vector else kinds.matrix


def declared_places(
    target: ModelSpec, branch_ends: Sequence[str], places: Mapping[str, str]
) -> dict[str, str]:
    """Place by parameter, of those that are declared, under all their names.

    Raises:
        ValueError: If a place is unknown, a pattern fits no parameter, or one that shall end a
            branch names a module of several matrices, of which but one can.
    """
    wanted = dict(places) | dict.fromkeys(branch_ends, "branch_end")
    names = {n: spec for spec in target.params.values() for n in _all_names(spec, target)}
    found: dict[str, str] = {}
    for pattern, place in wanted.items():
        if place not in PLACES:
            raise ValueError(
                f"unknown place {place!r} for {pattern}: choose one of {', '.join(PLACES)}"
            )
        fitting = [name for name in names if names_match(name, pattern)]
        if not fitting:
            raise ValueError(
                f"{pattern!r} is declared as {place}, but no parameter has such a name: the names "
                f"are {', '.join(target.params)}"
            )
        if place == "branch_end":
            _check_one_end(pattern, [n for n in fitting if not names[n].is_vector])
        for name in fitting:
            found.setdefault(name, place)
    return found


def _all_names(spec: ParamSpec, target: ModelSpec) -> list[str]:
    return [spec.pattern, *map(target.starred, spec.aliases)]


def _check_one_end(pattern: str, matrices: list[str]) -> None:
    """A branch ends in one map: of several in a row, or of a pair that is added, ask which."""
    wanted = pattern.split(".")
    same: dict[str, list[str]] = {}
    for name in matrices:
        words = name.split(".")
        # The module that the pattern names, as far as it goes into this name.
        ends = (i for i in range(len(wanted), len(words)) if _fits(words[:i], wanted))
        if (end := next(ends, None)) is not None:
            same.setdefault(".".join(words[:end]), []).append(name)
    for module, several in same.items():
        if len(several) > 1:
            raise ValueError(
                f"{pattern!r} is declared as branch_end, but {module} holds {len(several)} "
                f"matrices, {', '.join(several)}: the depth's factor would count {len(several)} "
                "times; name the one that ends the branch"
            )


def _fits(words: list[str], wanted: list[str]) -> bool:
    return all(map(fnmatchcase, words[-len(wanted) :], wanted))


def names_match(name: str, pattern: str) -> bool:
    """Whether the pattern fits the parameter's whole name, its end, or a module that holds it."""
    return any(
        fnmatchcase(name, form)
        for form in (pattern, f"*.{pattern}", f"{pattern}.*", f"*.{pattern}.*")
    )
