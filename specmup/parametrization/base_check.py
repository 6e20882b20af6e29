"""Bases that do not fit a model, refused with the reason."""

from __future__ import annotations

from specmup.parametrization.anatomy import Anatomy
from specmup.parametrization.comparison import Comparison


def check_same_parts(target: Anatomy, small: Anatomy) -> None:
    """Refuse a base with other parameters, other lists of blocks, or other ties.

    Raises:
        ValueError: If it has.
    """
    for one, other, of_one, of_other in (
        (target, small, "model", "base"),
        (small, target, "base", "model"),
    ):
        if lacking := [name for name in one.parts if name not in other.parts]:
            raise ValueError(
                f"the {of_one} has {', '.join(lacking)}, the {of_other} has not: a base is the "
                "same architecture, with the same kinds of blocks, at another size"
            )
    for name, part in target.parts.items():
        before = small.parts[name]
        if len(part.shape) != len(before.shape) or bool(part.aliases) != bool(before.aliases):
            raise ValueError(
                f"{name} is of shape {part.shape}{' and tied' if part.aliases else ''} in the "
                f"model, {before.shape}{' and tied' if before.aliases else ''} in the base: a base "
                "is the same architecture at another size"
            )


def check_orientation(comparison: Comparison) -> None:
    """Refuse an end of the network whose growth is on the wrong side.

    A parameter without a module that tells its orientation is read as (n_out, n_in).

    Raises:
        ValueError: If an input grows in its inputs only, or a head in its outputs only.
    """
    for member in comparison.members:
        out, into = member.fan_out.ratio != 1, member.fan_in.ratio != 1
        if member.part.oriented or member.is_vector or comparison.width.ratio == 1:
            continue
        said = f"{member.part.names[0]}, of shape {member.part.shape}, is declared as"
        if member.role == "input" and into and not out:
            raise ValueError(
                f"{said} {member.place}, but its last dimension grows, and a map is read as "
                f"(n_out, n_in): if its rows are added to the residual stream, declare "
                f"places={{{member.part.pattern!r}: 'embedding'}}; otherwise store it transposed"
            )
        if member.role == "output" and out and not into:
            raise ValueError(
                f"{said} {member.place}, but its last dimension stays, and a map is read as "
                "(n_out, n_in): store it transposed"
            )


def check_growth(comparison: Comparison) -> None:
    """Refuse a base that is larger in one dimension and smaller in another.

    Raises:
        ValueError: If it is.
    """
    sizes = {"width": comparison.width, "depth": comparison.depth}
    for member in comparison.members:
        if member.place != "head":
            sizes |= {f"the outputs of {member.part.pattern}": member.fan_out}
        if member.role != "input":
            sizes |= {f"the inputs of {member.part.pattern}": member.fan_in}
        sizes |= {f"the number of {member.part.blocks}": member.depth}
    grows = [name for name, size in sizes.items() if size.ratio > 1]
    shrinks = [name for name, size in sizes.items() if size.ratio < 1]
    if grows and shrinks:
        up, down = sizes[grows[0]], sizes[shrinks[0]]
        raise ValueError(
            f"from base to model {grows[0]} grows, {up.base:g} → {up.target:g}, but {shrinks[0]} "
            f"shrinks, {down.base:g} → {down.target:g}: choose a base that is at most as large as "
            "the model in every dimension"
        )
