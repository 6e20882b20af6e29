"""What to know of a plan before training with it."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from specmup.parametrization.comparison import Comparison
from specmup.parametrization.factors import optimizer_of
from specmup.parametrization.gauges import gauge_change
from specmup.theory.update import update_law


def notes(
    comparison: Comparison,
    optimizer: str,
    gauge: str,
    parametrization: str,
    model: nn.Module,
    base: nn.Module,
) -> tuple[str, ...]:
    """Sentences for the report, each about something that holds for this plan."""
    if parametrization == "sp":
        return ("The standard parametrization, to compare with: only the start depends on size.",)
    found = [
        *_gauge(comparison, optimizer, gauge),
        *_tie(comparison, gauge),
        *_optimizer(comparison, optimizer),
        *_attention(comparison, model, base),
    ]
    reads_out = comparison.tied or any(m.role == "output" for m in comparison.members)
    if comparison.width.ratio != 1 and reads_out:
        found.append(
            "The output starts smaller by 1/√r_n and reaches its size in training, so in a "
            "coordinate check a readout that falls with the width at step 0 is no mistake; judge "
            "the change of the residual stream."
        )
    return tuple(found)


def _gauge(comparison: Comparison, optimizer: str, gauge: str) -> Iterator[str]:
    names = dict.fromkeys(optimizer_of(m, optimizer) for m in comparison.members)
    for name in names:
        yield f"Gauge {gauge}, {update_law(name).title}: {gauge_change(name).text()}."
    if gauge == "folded":
        yield (
            "A bound on the gradient's global norm is another one in another gauge: where a "
            "multiplier is folded in, the gradient is larger by its inverse."
        )


def _tie(comparison: Comparison, gauge: str) -> Iterator[str]:
    place = "in the gain and bias of the final normalisation"
    if gauge == "forward":
        place = "in front of the head"
    shrinks = 1 / comparison.width.ratio
    if shrinks == 1:
        return
    for member in comparison.members:
        if member.tied:
            yield (
                f"{member.part.names[0]} is also {', '.join(member.part.aliases)}: both roles ask "
                f"the same of it, and the readout's 1/r_n = {shrinks:.4g} stands {place}."
            )


def _optimizer(comparison: Comparison, optimizer: str) -> Iterator[str]:
    law = update_law(optimizer)
    if law.matrices_only:
        yield f"{law.title} trains the matrices of the branches, AdamW all other parameters."
        fused = [m for m in comparison.members if m.role == "hidden" and _is_fused(m.part.pattern)]
        for member in fused:
            yield (
                f"{member.part.pattern} holds queries, keys and values in one matrix, which "
                f"{law.title} takes as one: a model with three matrices is trained otherwise."
            )
    if count := law.idle_steps:
        yield f"{law.title}: the first {count} step moves nothing but fills its statistics."
    stacked = [m for m in comparison.members if m.role == "hidden" and m.part.stacked]
    if optimizer.startswith("lamb") and stacked:
        yield (
            f"{stacked[0].part.pattern} holds all maps of the branches in one tensor, for which "
            "LAMB takes one trust ratio; specmup.training.replicas hands over map by map."
        )
    if optimizer == "sso":
        yield "SSO retracts each weight to its norm at the start, which undoes its weight decay."


def _is_fused(pattern: str) -> bool:
    return any(word in pattern for word in ("c_attn.weight", "query_key_value.weight", "qkv"))


def _attention(comparison: Comparison, model: nn.Module, base: nn.Module) -> Iterator[str]:
    if comparison.family is None:
        return
    before, now = (comparison.family.head_dimension(m) for m in (base, model))
    if before is None or now is None or comparison.width.ratio == 1:
        return
    if before == now:
        yield f"Attention heads keep their dimension of {now:g}; their number grows."
    else:
        yield (
            f"The dimension of a head changes, {before:g} → {now:g}: attention logits then need a "
            "factor 1/d instead of 1/√d, which a plan cannot give; keep the dimension and let the "
            "number of heads grow."
        )
