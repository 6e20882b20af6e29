"""A plan held against the forward pass: put right where that can be done, refused, or noted.

What the caller declared by name counts over what was seen, and is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import nn

from specmup.inspection.branch_ends import Named, check_ends
from specmup.inspection.model_pair import ModelPair, ScaledDim, ScaledParam
from specmup.inspection.names import abbreviated, canonical
from specmup.inspection.observation import Observation, names_of
from specmup.inspection.own_start import own_start
from specmup.inspection.pass_checks import check_kept, check_pass, told_of
from specmup.tracing.reading import Reading

# What a vector that acts on the stream itself is taken for by its class and its blocks.
ON_THE_STREAM = ("branch_norm", "branch", "stream_norm")
WITH_WHAT_IS_ADDED = "it learns as slowly in depth as what is added there"
Amended = tuple[ModelPair, tuple[str, ...]]


def hold_against(
    pair: ModelPair, seen: Observation, *, gauge: str, places: Mapping[str, str]
) -> Amended:
    """The pair with what was seen of it, and notes.

    Args:
        pair: Model and base as names, shapes and declarations tell them.
        seen: Their forward passes.
        gauge: Of the plan.
        places: What the caller declared for parameters by name.

    Raises:
        ValueError: If the plan would be wrong; with what was seen and what to do.
    """
    found = Named(pair, places)
    check_pass(pair, found, seen)
    pair, notes = _with_constants(pair, found, seen)
    pair, more = with_stream_norms(pair, seen.target, places)
    pair = _with_uses(_with_offsets(pair, seen.target), seen)
    found = Named(pair, places)
    ends: Iterator[str] = iter(())
    if gauge == "folded":
        check_kept(pair, found, seen.target)
        ends = check_ends(found, seen.target) if pair.depth.ratio != 1 else ends
    return pair, (*notes, *more, *ends, *_unreached(found, seen.target))


def _with_constants(pair: ModelPair, found: Named, seen: Observation) -> Amended:
    """Constants that differ from the base's, counted as a change of gauge."""
    params, notes = [], []
    for param in pair.params:
        own = _own(param, seen, embeds=param.place == "embedding")
        as_head = _own(param, seen, embeds=False) if param.tied else ScaledDim(1, 1)
        for size, what in ((own, "what it gives"), (as_head, "the logits")):
            if size.ratio != 1:
                notes.append(
                    f"{param.spec.names[0]}: the forward pass itself multiplies {what} by "
                    f"{size.target:.4g}, in the base by {size.base:.4g}; its numbers count that in."
                )
        params.append(replace(param, own=own, own_as_head=as_head))
    return replace(pair, params=tuple(params)), tuple(notes)


def _own(param: ScaledParam, seen: Observation, *, embeds: bool) -> ScaledDim:
    """The constants in series with a parameter, or one where they are as at the base."""
    now, before = (_constants(param, one, embeds=embeds) for one in (seen.target, seen.base))
    if now == before or not now or not before:
        return ScaledDim(1, 1)
    one, other = next(iter(now)), next(iter(before))
    if len(now) == len(before) == 1 and one is not None and other is not None:
        return ScaledDim(one, other)
    raise ValueError(
        f"{param.spec.pattern}: the forward pass multiplies what it gives by {told_of(now)}, in "
        f"the base by {told_of(before)}: numbers that differ from block to block, or are not "
        "known, cannot be counted in; multiply by the same number in every block, and give the "
        "model as a factory so that it is known"
    )


def _constants(param: ScaledParam, one: Reading, *, embeds: bool) -> set[float | None]:
    found: set[float | None] = set()
    for name in names_of(param.spec):
        found |= one.constants.get((name, embeds), frozenset())
        if not param.tied:
            found |= one.constants.get((name, not embeds), frozenset())
    return found


def with_stream_norms(pair: ModelPair, one: Reading, places: Mapping[str, str]) -> Amended:
    """The pair with normalisations, gains and biases of the stream itself, behind an addition.

    Args:
        pair: Model and base.
        one: The model's forward pass.
        places: What the caller declared for parameters by name, which counts over what was seen.
    """
    found = Named(pair, places)
    seen = {found.pattern(name) for branch in one.branches for name in branch.stream_gains}
    those = [p for p in pair.params if p.spec.pattern in seen and p.place in ON_THE_STREAM]
    notes = []
    for declared in (True, False):
        names = [p.spec.pattern for p in those if (p.spec.pattern in found.declared) == declared]
        what = "planned as declared, as in front of a branch" if declared else WITH_WHAT_IS_ADDED
        if names:
            notes.append(f"{abbreviated(names)}: on the stream itself, behind an addition; {what}.")
    params = tuple(
        replace(param, place="stream_norm")
        if param in those and param.spec.pattern not in found.declared
        else param
        for param in pair.params
    )
    return replace(pair, params=params), tuple(notes)


def _with_offsets(pair: ModelPair, one: Reading) -> ModelPair:
    """Gains that are kept as what they differ from one."""
    offsets = {canonical(name): offset for name, offset in one.offsets.items()}
    params = tuple(
        replace(param, offset=offsets.get(param.spec.names[0], 0.0)) for param in pair.params
    )
    return replace(pair, params=params)


def _with_uses(pair: ModelPair, seen: Observation) -> ModelPair:
    """Parameters of blocks with the number of branches in which one tensor acts, where it grows."""
    now, before = (
        Counter(canonical(name) for branch in one.branches for name in branch.inside)
        for one in (seen.target, seen.base)
    )

    def used(param: ScaledParam) -> ScaledDim:
        size = ScaledDim(
            max(now[name] for name in param.spec.names),
            max(before[name] for name in param.before.names),
        )
        return size if size.base and param.spec.blocks is not None else ScaledDim(1, 1)

    return replace(pair, params=tuple(replace(p, uses=used(p)) for p in pair.params))


def _unreached(found: Named, one: Reading) -> Iterator[str]:
    names = {found.pattern(name) for name in one.unreached}
    heads = any(found[name].role == "output" for name in one.unreached)
    twice = (
        " A head among these is divided by r_n twice if it reads from the gain that holds the tied "
        "head's share."
    )
    if names and not one.made_up:
        yield (
            f"{abbreviated(sorted(names))}: not reached from the output on the example input, so "
            "nothing was seen of it; give make_plan an example= that uses it, or leave it out."
            + twice
            * (heads and any(param.tied for param in found.params.values()))
        )


def with_own_starts(pair: ModelPair, starts: Sequence[nn.Module]) -> Amended:
    """The pair with how each parameter starts of itself, and what of it could not be seen."""
    if not starts:
        return pair, (
            "The base's own start was not seen, as it has no memory and cannot be made again: "
            "gains are told by the names of their classes, all else counts as drawn.",
        )
    params = tuple(
        replace(param, own_start=own_start(param.before, starts)) for param in pair.params
    )
    kept = [p.spec.pattern for p in params if p.start_kind == "kept"]
    notes = []
    if kept:
        notes.append(
            f"{abbreviated(kept)}: no centred draw, so plan.initialise keeps what the model itself "
            "starts with."
        )
    return replace(pair, params=params), tuple(notes)
