"""Sizes that are no width and no depth: experts, chosen experts, heads and their dimension.

A plan scales each parameter by its own fans, n and L. Where another count grows, or stays while
what shares it grows, it says so, with what the book's page on counts derives and measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose, prod
from typing import Any

from torch import nn

from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.inspection.names import abbreviated
from specmup.inspection.observation import Observation

# What a plan leaves out; specmup.theory.counts solves for it.
OF_EXPERTS = (
    "no factor is taken from it; rates of AdamW and Muon need none, while SGD's, and gates that do "
    "not sum to one, do: see book/counts.md and arXiv:2605.14200, 2601.20205 and 2508.09752"
)
OF_HEADS = (
    "rates follow from the shapes, which is right for AdamW; Muon's and the start of keys and "
    "values come out small: see book/counts.md and arXiv:2605.15290"
)
LARGER_HEADS = (
    "The dimension of a head changes, {before} → {now}: attention logits then need a factor 1/d "
    "instead of 1/√d, which this plan does not set; {remedy}."
)
# How configurations call the heads, and the fewer heads of keys and values that they share.
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
SHARED = ("num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_kv_head", "num_query_groups")


def counts_that_grow(pair: ModelPair, model: nn.Module, base: nn.Module) -> Iterator[str]:
    """Sentences about such counts, told by the configurations or, failing these, by shapes."""
    now, before = entries(model), entries(base)
    experts = {
        name: (before[name], size)
        for name, size in now.items()
        if _counts_experts(str(name)) and type(size) is int and before.get(name, size) != size
    } or _stacked(pair)
    for name, (small, large) in experts.items():
        yield f"{name} grows, {small} → {large}: {OF_EXPERTS}."
    heads, shared = ([n for n in names if type(now.get(n)) is int] for names in (HEADS, SHARED))
    if heads and shared:
        groups = [config[heads[0]] / (config.get(shared[0]) or 1) for config in (before, now)]
        if groups[0] != groups[1]:
            yield (
                f"The heads of queries that share one of keys and values grow in number, "
                f"{groups[0]:g} → {groups[1]:g}: {OF_HEADS}."
            )
        return
    for param in pair.params:
        if _stays(param, pair):
            yield (
                f"{param.spec.pattern} reads what grows and writes {param.fan_out.target:g} at "
                "either size, as a router does; if these are heads of keys or values, which more "
                f"and more heads of queries share, {OF_HEADS}."
            )


def heads_that_grow(
    pair: ModelPair, model: nn.Module, base: nn.Module, seen: Observation | None
) -> Iterator[str]:
    """What a growing width does to heads: one sentence, or none.

    Args:
        pair: The model beside its base.
        model: The model.
        base: Its base.
        seen: Their forward passes: these count over what a known architecture's names tell.
    """
    if seen is not None and seen.target.attentions:
        yield from _larger_heads(seen, model)
    told = None if pair.architecture is None else pair.architecture.head_dimension
    if told is None or pair.width.ratio == 1:
        return
    before, now = told(base), told(model)
    if before is not None and before == now:
        yield f"Attention heads keep their dimension of {now:g}; their number grows."
    elif before is not None and now is not None and (seen is None or not seen.target.attentions):
        remedy = "keep the dimension and let the number of heads grow"
        yield LARGER_HEADS.format(before=f"{before:g}", now=f"{now:g}", remedy=remedy)


def _larger_heads(seen: Observation, model: nn.Module) -> Iterator[str]:
    """Heads whose dimension grows while their logits shrink by less than its inverse."""
    now, before = (
        {(found.dimension, found.scale) for found in one.attentions}
        for one in (seen.target, seen.base)
    )
    (dimensions, own), (dimensions_before, own_before) = (
        ({d for d, _ in one}, {s and d * s for d, s in one}) for one in (now, before)
    )
    if dimensions == dimensions_before or (own == own_before and None not in own):
        return
    remedy = "keep the dimension and let the number of heads grow"
    (dimension, *more), (scale, *others) = dimensions, {s for _, s in now}
    right = own_before.pop() if len(own_before) == 1 else None
    if right and scale and not more and not others:
        names = told_as(scale, model)
        where = f" by {' or '.join(names)}, of the configuration" if names else ""
        remedy = (
            f"multiply them by {right / dimension:.4g} in place of {scale:.4g}{where}, or {remedy}"
        )
    yield LARGER_HEADS.format(
        before=abbreviated(map(str, sorted(dimensions_before))),
        now=abbreviated(map(str, sorted(dimensions))),
        remedy=remedy,
    )


def sums_that_grow(pair: ModelPair, seen: Observation | None) -> Iterator[str]:
    """A product of data with data, in no attention, that sums over a size that grows."""
    if seen is None or pair.width.ratio == 1:
        return
    before = seen.base.summed
    for where, now in sorted(seen.target.summed - before):
        small = now / pair.width.ratio
        if (where, small) in before:
            yield (
                f"{where or 'The model'} contracts data with data over {now} entries, in the base "
                f"over {small:g}: such a sum grows with the width, and this plan gives it no "
                f"factor; see that the forward pass divides it by {now / small:g} times "
                "what the base's does, unless it is normalised."
            )
            return


def entries(model: nn.Module) -> Mapping[str, Any]:
    """The entries of the configuration that a model keeps, those of its parts included."""
    config = getattr(model, "config", None) or getattr(model, "shape", None)
    to_dict = getattr(config, "to_dict", None)
    own = to_dict() if callable(to_dict) else dict(getattr(config, "__dict__", {}))
    parts = [value for value in own.values() if isinstance(value, dict)]
    return {name: value for some in (*parts, own) for name, value in some.items()}


def told_as(number: float, model: nn.Module) -> list[str]:
    """Names of the configuration's entries that hold a number."""
    return [n for n, v in entries(model).items() if type(v) is float and isclose(v, number)]


def _counts_experts(name: str) -> bool:
    counted = "expert" in name and not any(word in name for word in ("size", "dim", "hidden"))
    return counted or "top_k" in name


def _stacked(pair: ModelPair) -> dict[str, tuple[int, int]]:
    """Matrices that are stacked in a block's tensor, where their number differs."""
    found = {}
    for param in pair.params:
        now, before = param.spec.stack, param.before.stack
        if param.spec.blocks is not None and param.role == "hidden" and now != before:
            found[f"The number of matrices in {param.spec.pattern}"] = prod(before), prod(now)
    return found


def _stays(param: ScaledParam, pair: ModelPair) -> bool:
    """Whether a map in a block reads the stream, which grows, into a size that does not."""
    in_block = param.spec.blocks is not None and param.role == "hidden"
    stays = param.fan_out.ratio == 1 and param.fan_out.target > 1
    return in_block and stays and param.fan_in.ratio == pair.width.ratio != 1
