"""Which parameter is what: a model compared with its base.

Dimensions that grow from the base to the target tell input, hidden and output apart; the number of
blocks gives the depth. What a known architecture or a declaration says counts before what shapes
say. A parameter that nothing speaks for raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from specmup.parametrization.architectures import Architecture, find_architecture
from specmup.parametrization.gauges import law_as_run
from specmup.parametrization.model_pair import ModelPair, ScaledDim, ScaledParam
from specmup.parametrization.pair_checks import (
    check_growth,
    check_orientation,
    check_same_parameters,
)
from specmup.parametrization.places import Evidence, declared_places, place_of, role_of
from specmup.parametrization.specs import ModelSpec, ParamSpec, spec_of
from specmup.theory.rules import laws_of
from specmup.theory.update import update_law


def pair_models(
    model: nn.Module,
    base: nn.Module,
    *,
    optimizer: str,
    block_depth: int | None = None,
    branch_ends: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> ModelPair:
    """Find every parameter's place, role, fans and optimizer, at the target and at the base.

    Args:
        model: The target.
        base: The tuned model.
        optimizer: A name in :data:`specmup.theory.update.LAWS`. Beside one that is made for
            matrices, AdamW trains all but the branches' matrices.
        block_depth: Number k of maps in a branch; known architectures need none.
        branch_ends: Patterns of the modules that end a branch.
        places: Pattern to place, for parameters that neither architecture nor shape can tell.

    Raises:
        ValueError: If something is unknown or does not fit; the message says what to declare.
    """
    target, small = spec_of(model), spec_of(base)
    check_same_parameters(target, small)
    architecture = None if branch_ends else find_architecture(list(target.params))
    if architecture is not None:
        architecture.check(model)
    depths = _depths(target, small)
    if architecture is not None and architecture.depth is not None:
        depths = {None: ScaledDim(architecture.depth(model), architecture.depth(base))}
    if not depths:
        raise ValueError(
            "no repeated blocks: a plan counts the residual blocks in an nn.ModuleList or "
            "nn.Sequential whose elements have the same parameters; put them in one"
        )
    declared = declared_places(target, branch_ends, places or {})
    evidence = Evidence(target, small, architecture, declared)
    places = {pattern: place_of(spec, evidence) for pattern, spec in target.params.items()}
    pair = ModelPair(
        params=tuple(
            _scaled(spec, small.params[name], places[name], depths, optimizer)
            for name, spec in target.params.items()
        ),
        width=_width(target, small, places),
        depth=max(depths.values(), key=lambda size: size.target),
        block_depth=_block_depth(architecture, model, block_depth),
        architecture=architecture,
        law=update_law(optimizer),
    )
    check_growth(pair)
    check_orientation(pair)
    return pair


def _scaled(
    spec: ParamSpec,
    before: ParamSpec,
    place: str,
    depths: Mapping[str | None, ScaledDim],
    optimizer: str,
) -> ScaledParam:
    role, one_hot = role_of(spec, place), place == "embedding"
    fans = zip(spec.fans(one_hot=one_hot), before.fans(one_hot=one_hot), strict=True)
    fan_out, fan_in = (ScaledDim(now, then) for now, then in fans)
    own = laws_of(optimizer)[role].name
    return ScaledParam(
        spec=spec,
        place=place,
        role=role,
        fan_out=fan_out,
        fan_in=fan_in,
        depth=depths.get(spec.blocks, ScaledDim(1, 1)),
        tied=bool(spec.aliases),
        optimizer=own,
        law=law_as_run(own, transposed=spec.transposed),
    )


def _width(target: ModelSpec, small: ModelSpec, places: Mapping[str, str]) -> ScaledDim:
    """Width of the residual stream: what the maps that end a branch write.

    Branches may also end in a size that stays, as those that mix a fixed number of tokens do.
    """
    found: dict[ScaledDim, str] = {}
    for name, spec in target.params.items():
        if places[name] == "branch_end":
            found.setdefault(ScaledDim(spec.fans()[0], small.params[name].fans()[0]), name)
    if not found:
        raise ValueError(
            "no parameter ends a branch: declare the last maps, branch_ends=['…'], by name among "
            f"{', '.join(n for n, p in target.params.items() if p.blocks is not None)}"
        )
    growing = {size: name for size, name in found.items() if size.ratio != 1}
    if len(growing) > 1:
        several = ", ".join(f"{name} {s.base} → {s.target}" for s, name in growing.items())
        raise ValueError(
            f"the branches end in streams of different widths ({several}): a plan needs one that "
            "grows; keep the others' widths, or take from branch_ends what ends no branch"
        )
    return max(growing or found, key=lambda size: size.target)


def _depths(target: ModelSpec, small: ModelSpec) -> dict[str | None, ScaledDim]:
    """Numbers of blocks, by list."""
    return {path: ScaledDim(count, small.depths[path]) for path, count in target.depths.items()}


def _block_depth(architecture: Architecture | None, model: nn.Module, given: int | None) -> int:
    if given is not None:
        return given
    if architecture is None:
        raise ValueError(
            "how many maps in a row does a branch hold? Declare block_depth=1, or 2 for two or more"
        )
    known = architecture.block_depth
    return known(model) if callable(known) else known
