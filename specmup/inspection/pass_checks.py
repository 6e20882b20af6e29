"""What a forward pass does that no plan counts, refused with what was seen and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from specmup.inspection.branch_ends import Named
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.names import abbreviated, canonical
from specmup.inspection.observation import Observation, names_of
from specmup.inspection.specs import ModelSpec
from specmup.tracing.reading import Reading


def check_has_stream(name: str, spec: ModelSpec, one: Reading) -> None:
    """Refuse blocks that are seen to add to no residual stream, of which no rule in depth speaks.

    Args:
        name: What it is, for the message: ``model`` or ``base``.
        spec: Its parameters.
        one: Its forward pass.

    Raises:
        ValueError: If parameters of blocks act, and no branch is added to a stream.
    """
    inside = {n for param in spec.params.values() if param.blocks is not None for n in param.names}
    if inside - {*map(canonical, one.unreached)} and not one.branches:
        raise ValueError(
            f"the number of blocks grows, but the {name}'s forward pass was not seen to add what "
            "blocks give to a residual stream, and of other depth no rule here speaks: write the "
            "addition as x + f(x), give an example= that takes the usual way through, let model "
            "and base have as many blocks, or give make_plan verify=False to go by names alone"
        )


def check_pass(pair: ModelPair, found: Named, seen: Observation) -> None:
    """Hold model and base against what a plan counts.

    Args:
        pair: The parameters.
        found: The same by name.
        seen: Both forward passes.

    Raises:
        ValueError: If one of them does what no plan counts.
    """
    _check_repeats(found, seen)
    _check_additions(pair, seen)
    _check_nested(seen)
    _check_parts(seen)
    _check_heads(pair, seen.target)
    check_stream_kept(seen, deeper=pair.depth.ratio != 1)
    _check_attention(seen)


def _check_repeats(found: Named, seen: Observation) -> None:
    """Depth by repetition: the same weights applied one after the other."""
    now_by, before_by = (
        {found.pattern(name): times for name, times in one.repeats.items()}
        for one in (seen.target, seen.base)
    )
    for name in {**now_by, **before_by}:
        now, before = now_by.get(name, 1), before_by.get(name, 1)
        if now != before and not found.stacked(name):  # that holds maps of its own for each
            raise ValueError(
                f"{name} is applied {now} times in a row, in the base {before} times: the model "
                "grows deeper by running the same blocks again, and no rule here speaks of "
                "that; give every block weights of its own, or let model and base repeat them as "
                "often"
            )


def _check_additions(pair: ModelPair, seen: Observation) -> None:
    """Blocks that are counted by no list, as those whose maps stand in one tensor."""
    now, before = len(seen.target.branches), len(seen.base.branches)
    grows = any(size.ratio != 1 for size in (pair.depth, *(p.depth for p in pair.params)))
    if now != before and not grows:
        stacked = [p.spec.pattern for p in pair.params if p.spec.stack != p.before.stack]
        raise ValueError(
            f"the forward pass adds {now} branches to its residual stream, in the base {before}, "
            f"but no list of blocks grows{', only ' * bool(stacked)}{abbreviated(stacked)}: the "
            "depth would count for nothing; put the maps of each block in a module, and these in "
            "one nn.ModuleList"
        )


def _check_nested(seen: Observation) -> None:
    """Blocks in a row within one branch of another stream."""
    now, before = seen.target.nested, seen.base.nested
    if now != before:
        raise ValueError(
            f"a branch holds a residual stream of its own, with {now} additions, in the base with "
            f"{before}: a plan gives these no multipliers; let model and base have as many blocks "
            "inside a branch"
        )


def _check_parts(seen: Observation) -> None:
    """A map that reads things side by side, of which some grow and others stay."""
    for name, now in seen.target.parts.items():
        before = seen.base.parts.get(name, ())
        stays = {one == other for one, other in zip(now, before, strict=False)}
        if len(now) == len(before) and len(stays) == 2:
            raise ValueError(
                f"{name} reads things of {_listed(now)} entries side by side, in the base of "
                f"{_listed(before)}: what it learns of those that grow needs a smaller rate than "
                "what it learns of the others; give each a map of its own and add what they give, "
                "which is the same function"
            )


def _check_heads(pair: ModelPair, one: Reading) -> None:
    """A map out of the stream into a size that stays, of which a normalisation is made."""
    for param in pair.params:
        is_head = param.place == "head" and not param.spec.is_vector and param.fan_in.ratio != 1
        if is_head and one.normalised.intersection(names_of(param.spec)):
            raise ValueError(
                f"{param.spec.names[0]} leads from {param.fan_in.target} to {param.fan_out.target} "
                "entries that are normalised before they are read: a head starts smaller than what "
                "it learns, and the normalisation undoes that; let those entries grow with the "
                "width, so that the map behind them is the head, or take the normalisation away"
            )


def check_kept(pair: ModelPair, found: Named, one: Reading) -> None:
    """What shall hold a folded multiplier must pass it on.

    Args:
        pair: The parameters.
        found: The same by name.
        one: The model's forward pass.

    Raises:
        ValueError: If the pass divides one of these by a size of its own.
    """
    lost = {canonical(name) for name in one.bent}
    # What stands last on a way into the stream must hold it, wherever it was thought to stand.
    last = {
        canonical(way.names[0][0])
        for way in one.ends
        if way.names and lost.issuperset(map(canonical, way.names[0]))
    }
    again = {canonical(name) for branch in one.branches for name in branch.again}
    for param in pair.params:
        name = param.spec.names[0]
        ends = param.place == "branch_end" or not last.isdisjoint(param.spec.names)
        ends = ends and param.depth.ratio != 1
        if ends and again.intersection(param.spec.names) and not param.spec.stacked:
            raise ValueError(
                f"{name} shall hold the multiplier of a branch, but the forward pass applies it "
                "more than once in a row there, so a factor in it counts as often: give each map a "
                "weight of its own, put a gain behind the last and let that be the branch_end, or "
                "give the model a `multipliers` dictionary and gauge='forward'"
            )
        reads = param.role == "output" and param.fan_in.ratio != 1
        if (ends or reads) and name in lost and not found.is_declared(name):
            raise ValueError(
                f"{name} shall hold the multiplier of a {'branch' if ends else 'readout'}, but the "
                "forward pass divides it by a size of its own, or bends it otherwise, so a factor "
                "in it is lost: put a gain behind it and let that be the branch_end, give the "
                "model a `multipliers` dictionary and gauge='forward', or declare it in places if "
                "a factor passes all the same"
            )


def _listed(sizes: Sequence[int]) -> str:
    return " + ".join(map(str, sizes))


def check_stream_kept(seen: Observation, *, deeper: bool) -> None:
    """Refuse a stream that is itself multiplied by a constant, so that early blocks count for less.

    Args:
        seen: Both forward passes.
        deeper: Whether the number of blocks grows.

    Raises:
        ValueError: If it is, and that matters.
    """
    now, before = (
        {branch.skip_scale for branch in one.branches if not branch.stream_norm}
        for one in (seen.target, seen.base)
    )
    if now == before and (not deeper or now <= {1.0}):
        return
    odd = (now ^ before) - {1.0} or (now | before) - {1.0}
    every = (*seen.target.branches, *seen.base.branches)
    where = next(b for b in every if not b.stream_norm and b.skip_scale in odd)
    told = "an unknown number" if where.skip_scale is None else f"{where.skip_scale:.4g}"
    raise ValueError(
        f"the residual stream itself is multiplied by {told} on its way to what {where.where} "
        "adds, which a plan does not count: what a block adds then fades or grows with every later "
        "one. Multiply the branches instead"
    )


def _check_attention(seen: Observation) -> None:
    """Another factor on attention logits though the heads are as large."""
    now, before = (
        {(found.dimension, found.scale) for found in one.attentions}
        for one in (seen.target, seen.base)
    )
    if {d for d, _ in now} != {d for d, _ in before} or now == before:
        return
    other = next(iter(sorted(now ^ before, key=str)))
    where = next(
        f.module
        for f in (*seen.target.attentions, *seen.base.attentions)
        if (f.dimension, f.scale) == other
    )
    raise ValueError(
        f"attention logits are multiplied by {told_of({s for _, s in now})} in the model and by "
        f"{told_of({s for _, s in before})} in the base (seen in {where}), though heads keep their "
        "dimension: a plan leaves that factor as it is; make it the same at all sizes and in "
        "all blocks"
    )


def told_of(numbers: set[float | None]) -> str:
    """Numbers in words, for a message; None is one that is not known."""
    known = sorted(number for number in numbers if number is not None)
    told = [f"{number:.4g}" for number in known] + ["an unknown number"] * (None in numbers)
    return abbreviated(told)
