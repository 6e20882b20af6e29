"""Which parameter is what: a model compared with its base.

Dimensions that grow from the base to the target tell input, hidden and output apart; the number of
blocks gives the depth. What a known family or a declaration says counts before what shapes say. A
parameter that nothing speaks for raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from specmup.parametrization.anatomy import Anatomy, Part, dissect
from specmup.parametrization.base_check import check_growth, check_orientation, check_same_parts
from specmup.parametrization.comparison import Comparison, Growth, Member
from specmup.parametrization.families import Family, find_family
from specmup.parametrization.places import Locator, declared_places, role_of


def compare(
    model: nn.Module,
    base: nn.Module,
    *,
    block_depth: int | None = None,
    branch_ends: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
) -> Comparison:
    """Find every parameter's place, role and fans, at the target and at the base.

    Args:
        model: The target.
        base: The tuned model.
        block_depth: Number k of maps in a branch; known families need none.
        branch_ends: Patterns of the modules that end a branch.
        places: Pattern to place, for parameters that neither family nor shape can tell.

    Raises:
        ValueError: If something is unknown or does not fit; the message says what to declare.
    """
    target, small = dissect(model), dissect(base)
    check_same_parts(target, small)
    family = None if branch_ends else find_family(list(target.parts))
    if family is not None:
        family.check(model)
    if family is not None and family.depth is not None:
        depths = {None: Growth(family.depth(model), family.depth(base))}
    else:
        depths = _depths(target, small)
    depth = max(depths.values(), key=lambda size: size.target)
    declared = declared_places(target, branch_ends, places or {})
    locate = Locator(target, small, family, declared)
    spots = {pattern: locate(part) for pattern, part in target.parts.items()}
    width = _width(target, small, spots)

    def member(part: Part) -> Member:
        place = spots[part.pattern]
        both = (p.fans(one_hot=place == "embedding") for p in (part, small.parts[part.pattern]))
        fans = (Growth(now, before) for now, before in zip(*both, strict=True))
        own_depth = depths.get(part.blocks, Growth(1, 1))
        return Member(part, place, role_of(part, place), *fans, own_depth, bool(part.aliases))

    members = tuple(member(part) for part in target.parts.values())
    comparison = Comparison(members, width, depth, _block_depth(family, model, block_depth), family)
    check_growth(comparison)
    check_orientation(comparison)
    return comparison


def _width(target: Anatomy, small: Anatomy, spots: Mapping[str, str]) -> Growth:
    """Width of the residual stream: what the maps that end a branch write.

    Branches may also end in a size that stays, as those that mix a fixed number of tokens do.
    """
    found: dict[Growth, str] = {}
    for name, part in target.parts.items():
        if spots[name] == "branch_end":
            found.setdefault(Growth(part.fans()[0], small.parts[name].fans()[0]), name)
    if not found:
        raise ValueError(
            "no parameter ends a branch: declare the last maps, branch_ends=['…'], by name among "
            f"{', '.join(n for n, p in target.parts.items() if p.blocks is not None)}"
        )
    growing = {size: name for size, name in found.items() if size.ratio != 1}
    if len(growing) > 1:
        several = ", ".join(f"{name} {s.base} → {s.target}" for s, name in growing.items())
        raise ValueError(
            f"the branches end in streams of different widths ({several}): a plan needs one that "
            "grows; keep the others' widths, or take from branch_ends what ends no branch"
        )
    return max(growing or found, key=lambda size: size.target)


def _depths(target: Anatomy, small: Anatomy) -> dict[str | None, Growth]:
    """Numbers of blocks, by list."""
    if not target.depths:
        raise ValueError(
            "no repeated blocks: a plan counts the residual blocks in an nn.ModuleList or "
            "nn.Sequential whose elements have the same parameters; put them in one"
        )
    return {path: Growth(count, small.depths[path]) for path, count in target.depths.items()}


def _block_depth(family: Family | None, model: nn.Module, given: int | None) -> int:
    if given is not None:
        return given
    if family is None:
        raise ValueError(
            "how many maps in a row does a branch hold? Declare block_depth=1, or 2 for two or more"
        )
    return family.block_depth(model) if callable(family.block_depth) else family.block_depth
