"""Bases that do not fit a model, refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from specmup.inspection.blocks import in_list
from specmup.inspection.counts import OF_EXPERTS
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.names import abbreviated
from specmup.inspection.specs import ModelSpec


def check_same_parameters(target: ModelSpec, small: ModelSpec) -> None:
    """Refuse a base with other parameters, other lists of blocks, or other ties.

    Raises:
        ValueError: If it has.
    """
    for one, other, of_one, of_other in (
        (target, small, "model", "base"),
        (small, target, "base", "model"),
    ):
        if lacking := [name for name in one.params if name not in other.params]:
            why = _why(target, small)
            listed = "" if why else _unlisted(lacking, other)
            raise ValueError(
                f"the {of_one} has {abbreviated(lacking)}, the {of_other} has not{why}: a base is "
                f"the same architecture, with the same kinds of blocks, at another size{listed}"
            )
    for name, spec in target.params.items():
        before = small.params[name]
        if len(spec.shape) != len(before.shape) or bool(spec.aliases) != bool(before.aliases):
            raise ValueError(
                f"{name} is of shape {spec.shape}{' and tied' if spec.aliases else ''} in the "
                f"model, {before.shape}{' and tied' if before.aliases else ''} in the base: a base "
                "is the same architecture at another size"
            )


def _unlisted(lacking: Sequence[str], other: ModelSpec) -> str:
    """What to do about more of what a number tells apart, where no list holds it."""
    known = {_unnumbered(name) for name in other.params}
    if known.isdisjoint(map(_unnumbered, lacking)):
        return ""
    return "; if these are blocks, make all of them modules of one nn.ModuleList"


def _unnumbered(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _why(target: ModelSpec, small: ModelSpec) -> str:
    """What may be behind it: a list that is longer and holds no blocks, or several kinds."""
    for name, now in target.lists.items():
        if name not in target.depths and (before := small.lists.get(name, now)) != now:
            known = f"; {OF_EXPERTS}" if "expert" in name else ""
            within = any(in_list(f"{name}.*", {path: 1}) for path in target.depths)
            stage = name.rpartition(".")[0] in target.depths
            kind = (
                "stands within a block, where only sizes may grow, not numbers of modules"
                + "; if it holds the blocks, let one list hold them all" * stage
                if within
                else "is no list of blocks, in which most hold the same"
            )
            return (
                f", as {name or 'the model itself'} has {now} elements and {before} in the base, "
                f"but {kind}{known}"
            )
    return ""


def check_orientation(pair: ModelPair) -> None:
    """Refuse an end of the network whose growth is on the wrong side.

    A parameter without a module that tells its orientation is read as (n_out, n_in).

    Raises:
        ValueError: If an input grows in its inputs only, or a head in its outputs only.
    """
    for param in pair.params:
        out, into = param.fan_out.ratio != 1, param.fan_in.ratio != 1
        if param.spec.oriented or param.is_vector or pair.width.ratio == 1:
            continue
        said = f"{param.spec.names[0]}, of shape {param.spec.shape}, is declared as"
        if param.role == "input" and into and not out:
            raise ValueError(
                f"{said} {param.place}, but its last dimension grows, and a map is read as "
                f"(n_out, n_in): if its rows are added to the residual stream, declare "
                f"places={{{param.spec.pattern!r}: 'embedding'}}; otherwise store it transposed"
            )
        if param.role == "output" and out and not into:
            raise ValueError(
                f"{said} {param.place}, but its last dimension stays, and a map is read as "
                "(n_out, n_in): store it transposed"
            )


def check_generators(pair: ModelPair, declared: Mapping[str, str]) -> None:
    """Refuse a map that writes as much as the square of the width, as one that makes weights does.

    Args:
        pair: Model and base.
        declared: Place by name, of parameters that were declared.

    Raises:
        ValueError: If there is one, and nothing reads as much.
    """
    square = pair.width.ratio**2
    read = {param.fan_in.ratio for param in pair.params}
    for param in pair.params:
        makes = not param.is_vector and param.fan_out.ratio == square
        if square != 1 and makes and square not in read and param.spec.pattern not in declared:
            raise ValueError(
                f"{param.spec.names[0]} writes {param.fan_out.target:g} entries, in the base "
                f"{param.fan_out.base:g}, the square of how the width grows, and no map reads as "
                "many: if it makes the weights of another map, no rule here speaks of it, and its "
                "start and rate would be too large; let that map have parameters of its own, or "
                "declare its place by name if it is none"
            )


def check_growth(pair: ModelPair) -> None:
    """Refuse a base that is larger in one dimension and smaller in another.

    Raises:
        ValueError: If it is.
    """
    sizes = {"width": pair.width, "depth": pair.depth}
    for param in pair.params:
        if param.place != "head":
            sizes |= {f"the outputs of {param.spec.pattern}": param.fan_out}
        if param.role != "input":
            sizes |= {f"the inputs of {param.spec.pattern}": param.fan_in}
        sizes |= {f"the number of {param.spec.blocks}": param.depth}
    grows = [name for name, size in sizes.items() if size.ratio > 1]
    shrinks = [name for name, size in sizes.items() if size.ratio < 1]
    if grows and shrinks:
        up, down = sizes[grows[0]], sizes[shrinks[0]]
        raise ValueError(
            f"from base to model {grows[0]} grows, {up.base:g} → {up.target:g}, but {shrinks[0]} "
            f"shrinks, {down.base:g} → {down.target:g}: choose a base that is at most as large as "
            "the model in every dimension"
        )
