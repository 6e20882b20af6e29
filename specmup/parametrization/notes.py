"""What to know of a plan before training with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from specmup.inspection.counts import (
    counts_that_grow,
    heads_that_grow,
    sums_that_grow,
    told_as,
)
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.names import abbreviated
from specmup.inspection.observation import Observation
from specmup.parametrization.attention import AttentionScale
from specmup.parametrization.base_values import BaseValues
from specmup.parametrization.gauges import gauge_change
from specmup.theory.tables import ROLES

SP = ("The standard parametrization, to compare with: only the start depends on size.",)


def notes(
    pair: ModelPair,
    gauge: str,
    model: nn.Module,
    base: nn.Module,
    seen: Observation | None,
    scales: Sequence[AttentionScale] = (),
    std: BaseValues | None = None,
) -> tuple[str, ...]:
    """Sentences for the report, each about something that holds for this plan."""
    found = [
        *_smaller(pair),
        *_gauge(pair, gauge),
        *_tie(pair, gauge),
        *_optimizer(pair),
        *_one_map(pair, model),
        *_lengths(pair),
        *_no_more_zero(pair, std),
        *counts_that_grow(pair, model, base),
        *sums_that_grow(pair, seen),
        *(
            _scaled(scales, model, seen)
            if scales and seen
            else heads_that_grow(pair, model, base, seen)
        ),
    ]
    reads_out = pair.tied or any(param.role == "output" for param in pair.params)
    if pair.width.ratio != 1 and reads_out:
        found.append(
            "The output starts smaller by 1/√r_n and reaches its size in training, so in a "
            "coordinate check a readout that falls with the width at step 0 is no mistake; judge "
            "the change of the residual stream."
        )
    return tuple(found)


def _scaled(scales: Sequence[AttentionScale], model: nn.Module, seen: Observation) -> Iterator[str]:
    """That the plan changes what attention multiplies by, and who would undo it."""
    names = abbreviated(sorted({scale.pattern for scale in scales}))
    before, now = (
        abbreviated(sorted({str(found.dimension) for found in one.attentions}))
        for one in (seen.base, seen.target)
    )
    told = told_as(scales[0].own, model)
    lasts = f" What is given as {' or '.join(told)} in the configuration lasts." if told else ""
    values = f"{scales[0].value:.4g} in place of {scales[0].own:.4g}"
    yield (
        f"The dimension of a head changes, {before} → {now}: attention logits go by 1/d, and "
        f"plan.initialise sets {names} to {values}. It is no weight: a model that is made or "
        "loaded anew has its own, with which plan.optimizer refuses it until "
        f"plan.set_constants(model).{lasts}"
    )


def _smaller(pair: ModelPair) -> Iterator[str]:
    """That the model is smaller than its base: it may be that the two were exchanged."""
    sizes = {"width": pair.width, "depth": pair.depth}
    if told := [f"{k} {v.base:g} → {v.target:g}" for k, v in sizes.items() if v.ratio < 1]:
        yield (
            f"The model is smaller than its base, {', '.join(told)}: the base is what was tuned, "
            "so see that the two are not exchanged."
        )


def _gauge(pair: ModelPair, gauge: str) -> Iterator[str]:
    laws = {param.law.name: param.law for param in pair.params}
    for law in laws.values():
        yield f"Gauge {gauge}, {law.title}: {gauge_change(law).text()}."
    if gauge == "folded":
        yield (
            "A bound on the gradient's global norm is another one in another gauge: where a "
            "multiplier is folded in, the gradient is larger by its inverse."
        )


def _tie(pair: ModelPair, gauge: str) -> Iterator[str]:
    place = "in the gain and bias of the final normalisation"
    if gauge == "forward":
        place = "in front of the head"
    shrinks = 1 / pair.width.ratio
    if shrinks == 1:
        return
    for param in pair.params:
        if param.tied:
            yield (
                f"{param.spec.names[0]} is also "
                f"{', '.join(param.spec.aliases) or 'what reads out'}: both roles ask the same of "
                f"it, and the readout's 1/r_n = {shrinks:.4g} stands {place}."
            )


def _optimizer(pair: ModelPair) -> Iterator[str]:
    law = pair.law
    if law.matrices_only:
        yield f"{law.title} trains the matrices of the branches, AdamW all other parameters."
        for param in (p for p in pair.params if p.role == "hidden" and _is_fused(p.spec.pattern)):
            yield (
                f"{param.spec.pattern} holds queries, keys and values in one matrix, which "
                f"{law.title} takes as one: a model with three matrices is trained otherwise."
            )
    if count := law.idle_steps:
        yield f"{law.title}: the first {count} step moves nothing but fills its statistics."
    stacked = [p for p in pair.params if p.role == "hidden" and p.spec.stacked]
    if law.name.startswith("lamb") and stacked:
        yield (
            f"{stacked[0].spec.pattern} holds all maps of the branches in one tensor, for which "
            "LAMB takes one trust ratio; specmup.training.replicas hands over map by map."
        )
    if law.name == "sso":
        yield "SSO retracts each weight to its norm at the start, which undoes its weight decay."


def _one_map(pair: ModelPair, model: nn.Module) -> Iterator[str]:
    """What is trained beside the one map of a branch, in a row with it, is one more map."""
    if pair.block_depth != 1 or pair.depth.ratio == 1:
        return
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for param in pair.params:
        in_a_row = param.role == "norm_gain" or param.place == "branch_norm"
        if in_a_row and trained.intersection(param.spec.names):
            yield (
                f"{param.spec.pattern} is trained, which makes a map of it: its branch then holds "
                "two, and the term in which both move fades as 1/√r_L under the rule for one. "
                "block_depth=2 has the rule for both; without the parameter, or frozen, 1 is right."
            )


def _lengths(pair: ModelPair) -> Iterator[str]:
    """That a normalised weight has its size from elsewhere than its own start."""
    if names := [param.spec.pattern for param in pair.params if param.spec.length_of]:
        yield (
            f"{abbreviated(names)}: lengths of weights that are kept as length and direction, "
            "planned as gains; a number that is given as std reaches the directions alone, whose "
            "size does not count."
        )


def _no_more_zero(pair: ModelPair, std: BaseValues | None) -> Iterator[str]:
    """That a size for all, or for a role, draws maps as well that start at zero of themselves."""
    if std is None:
        return
    blank = (p for p in pair.params if p.is_blank and not p.is_vector and std.of(p))
    if names := [p.spec.pattern for p in blank if std.key(p) in ("*", *ROLES)]:
        yield (
            f"{abbreviated(names)}: zero in the base's own start, and drawn under this std; a key "
            f"of its own in front keeps it at zero, std={{{names[0]!r}: 0, '*': …}}."
        )


def _is_fused(pattern: str) -> bool:
    return any(word in pattern for word in ("c_attn.weight", "query_key_value.weight", "qkv"))
