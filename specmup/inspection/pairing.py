"""Which parameter is what: a model compared with its base.

Dimensions that grow from the base to the target tell input, hidden and output apart; the number of
blocks gives the depth. What a known architecture or a declaration says counts before what shapes
say. A parameter that nothing speaks for raises.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from torch import nn

from specmup.inspection.architectures import Architecture, find_architecture
from specmup.inspection.finding import Evidence, Pair, place_of, place_of_alias, told_place
from specmup.inspection.model_pair import ModelPair, ScaledDim, ScaledParam
from specmup.inspection.names import canonical
from specmup.inspection.observation import Observation, as_seen
from specmup.inspection.pair_checks import (
    check_generators,
    check_growth,
    check_orientation,
    check_same_parameters,
)
from specmup.inspection.pass_checks import check_has_stream
from specmup.inspection.places import declared_places, role_of
from specmup.inspection.proposals import questions
from specmup.inspection.questions import Declaration
from specmup.inspection.seen import Seen, places_seen
from specmup.inspection.specs import ModelSpec, ParamSpec, spec_of
from specmup.optimizers.as_run import law_as_run
from specmup.theory.rules import laws_of
from specmup.theory.update import UpdateLaw


def pair_models(
    model: nn.Module,
    base: nn.Module,
    law: UpdateLaw,
    declared: Declaration,
    *,
    seen: Observation | None = None,
) -> ModelPair:
    """Find every parameter's place, role, fans and optimizer, at the target and at the base.

    Args:
        model: The target.
        base: The tuned model.
        law: Of the optimizer. Beside one that is made for matrices, AdamW trains all but the
            branches' matrices.
        declared: What the caller tells of the architecture.
        seen: The forward passes of both, where they were traced.

    Raises:
        ValueError: If something is unknown or does not fit; the message says what to declare.
    """
    target, small = (as_seen(spec_of(m), seen) for m in (model, base))
    check_same_parameters(target, small)
    architecture = None if declared.branch_ends else find_architecture(list(target.params))
    if architecture is not None and seen is None:
        architecture.check(model)
    depths = _depths(target, small)
    if architecture is not None and architecture.depth is not None:
        depths = {None: ScaledDim(architecture.depth(model), architecture.depth(base))}
    deeper = any(size.ratio != 1 for size in depths.values())
    if deeper and seen is not None:
        check_has_stream("model", target, seen.target)
        check_has_stream("base", small, seen.base)
    places = declared_places(target, declared.branch_ends, declared.places)
    shown = Seen() if seen is None else places_seen(seen.base, small)
    by_name = bool(declared.branch_ends)
    if declared.block_depth is None and architecture is None and not by_name:
        declared = replace(declared, block_depth=shown.block_depth)
    # Where branches end is then the caller's word alone; what was seen there is but proposed.
    told = {n: place for n, place in shown.places.items() if not by_name or place != "branch_end"}
    evidence = Evidence(target, small, architecture, places, seen=told, likely=shown.likely)
    evidence = _with_streams(evidence)
    found = {pattern: place_of(spec, evidence) for pattern, spec in target.params.items()}
    if (problem := questions(evidence, found, declared, deeper=deeper)) is not None:
        raise problem
    known = {pattern: place for pattern, place in found.items() if place is not None}
    if not depths and "branch_end" in known.values():
        raise ValueError(
            "no repeated blocks: a plan counts the residual blocks in an nn.ModuleList or a "
            "numbered nn.Sequential whose elements have the same parameters; put them in one"
        )
    width = _width(evidence, known)
    returned = set() if seen is None else {*map(canonical, seen.target.returned)}
    scaled = [
        _scaled(spec, evidence, known[name], depths, law) for name, spec in target.params.items()
    ]
    pair = ModelPair(
        params=tuple(replace(one, tied=_is_tied(one, evidence, returned, width)) for one in scaled),
        width=width,
        depth=max(depths.values(), key=lambda size: size.target, default=ScaledDim(1, 1)),
        block_depth=_block_depth(architecture, model, declared.block_depth),
        architecture=architecture,
        told_by=architecture.name if architecture else "as traced" if evidence.seen else None,
        law=law,
    )
    check_generators(pair, places)
    check_growth(pair)
    check_orientation(pair)
    return pair


def _with_streams(evidence: Evidence) -> Evidence:
    """The evidence, and the sizes in which branches that are known by name end."""
    ends = (s for s in evidence.target.params.values() if told_place(s, evidence) == "branch_end")
    # A single number that multiplies what a branch adds tells nothing of the stream's width.
    sizes = {evidence.fans(spec)[0] for spec in ends} - {(1, 1)}
    return replace(evidence, streams=frozenset(sizes))


def _scaled(
    spec: ParamSpec,
    evidence: Evidence,
    place: str,
    depths: Mapping[str | None, ScaledDim],
    law: UpdateLaw,
) -> ScaledParam:
    role, one_hot = role_of(spec, place), place == "embedding"
    before = evidence.base.params[spec.pattern]
    fans = zip(spec.fans(one_hot=one_hot), before.fans(one_hot=one_hot), strict=True)
    fan_out, fan_in = (ScaledDim(now, then) for now, then in fans)
    return ScaledParam(
        spec=spec,
        place=place,
        role=role,
        before=before,
        fan_out=fan_out,
        fan_in=fan_in,
        depth=depths.get(spec.blocks, ScaledDim(1, 1)),
        law=law_as_run(laws_of(law)[role], transposed=spec.transposed),
    )


def _is_tied(
    param: ScaledParam, evidence: Evidence, returned: Collection[str], width: ScaledDim
) -> bool:
    """Whether what leads into the stream also reads out of it, by another name or by its use.

    A table whose rows do not grow with the stream reads out of no sum that grows.
    """
    spec = param.spec
    aliased = any(place_of_alias(alias, evidence) == "head" for alias in spec.aliases)
    reads = aliased or not {*spec.names, *spec.aliases}.isdisjoint(returned)
    return param.role == "input" and reads and (param.fan_out.ratio != 1 or width.ratio == 1)


def _width(evidence: Evidence, places: Mapping[str, str]) -> ScaledDim:
    """Width of the residual stream: what the maps that end a branch write.

    Branches may also end in a size that stays, as those that mix a fixed number of tokens do; and
    in several that grow by one ratio. Where no branch is known, what a head reads tells the growth.
    """
    found: dict[ScaledDim, str] = {}
    for name, spec in evidence.target.params.items():
        out, into = evidence.fans(spec)
        if places[name] == "branch_end" and out in evidence.streams:
            found.setdefault(ScaledDim(*out), name)
        elif not evidence.streams and places[name] == "head" and not spec.is_vector:
            found.setdefault(ScaledDim(*into), name)
        elif not evidence.streams and places[name] in ("embedding", "input"):
            found.setdefault(ScaledDim(*_written(spec, evidence)), name)
    growing = {size: name for size, name in found.items() if size.ratio != 1}
    if not growing:  # each branch mixes tokens, or small groups of channels: a head tells
        read = (p for n, p in evidence.target.params.items() if places[n] == "head")
        fans = (evidence.fans(spec)[1] for spec in read if not spec.is_vector)
        growing = {size: "" for into in fans if (size := ScaledDim(*into)).ratio != 1}
    if len({size.ratio for size in growing}) > 1:
        several = ", ".join(f"{name} {s.base} → {s.target}" for s, name in growing.items())
        raise ValueError(
            f"the branches end in streams of different widths ({several}): a plan needs one that "
            "grows; keep the others' widths, or take from branch_ends what ends no branch"
        )
    return max(growing or found, key=lambda size: size.target, default=ScaledDim(1, 1))


def _written(spec: ParamSpec, evidence: Evidence) -> Pair:
    before = evidence.base.params[spec.pattern]
    return spec.fans(one_hot=True)[0], before.fans(one_hot=True)[0]


def _depths(target: ModelSpec, small: ModelSpec) -> dict[str | None, ScaledDim]:
    """Numbers of blocks, by list."""
    return {path: ScaledDim(count, small.depths[path]) for path, count in target.depths.items()}


def _block_depth(architecture: Architecture | None, model: nn.Module, given: int | None) -> int:
    """Number k of maps; where it was not asked for, as the depth stays, two say the same as one."""
    if given is not None:
        return given
    known = 2 if architecture is None else architecture.block_depth
    return known(model) if callable(known) else known
