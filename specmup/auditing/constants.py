"""What the forward pass multiplies by, and which parameter each constant stands in front of.

The forward pass is traced. Where it cannot be, or a constant depends on which use is looked at, the
multipliers that a model offers are taken, and what was not seen is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.inspection.multipliers import offered_multipliers
from specmup.inspection.names import canonical
from specmup.inspection.places import PLACES
from specmup.tracing.attention import Attention
from specmup.tracing.examples import NotTraced, trace_example
from specmup.tracing.reading import Reading as Traced
from specmup.tracing.reading import read as read_trace

# Places next to a multiplier: it could be folded into the parameters that stand there.
BESIDE_MULTIPLIER = ("embedding", "input", "branch_end", "head")


@dataclass(frozen=True)
class Constants:
    """Of one model's forward pass.

    Args:
        by_pattern: The constant in front of a parameter; 1 where there is none.
        several: All constants, of a parameter whose uses have different ones.
        offsets: What is added to a parameter before it acts: gains that are kept as 1 + w.
        attentions: Scales of the attention logits.
        unread: What is not known of them.
    """

    by_pattern: Mapping[str, float] = field(default_factory=dict)
    several: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    attentions: tuple[Attention, ...] = ()
    unread: tuple[str, ...] = ()

    def beside(self, base: Constants) -> Constants:
        """The same with one constant for all uses of a parameter, if they grew alike from a base.

        An activation may use its input several times, with a constant each time.
        """
        read, unread = dict(self.by_pattern), list(self.unread)
        for pattern, values in self.several.items():
            pairs = list(zip(values, base.several.get(pattern, ()), strict=False))
            ratios = {float(f"{now / before:.6g}") for now, before in pairs if before}
            if len(ratios) == 1 and len(pairs) == len(values):
                read[pattern] = ratios.pop()
            else:
                unread.append(f"the constant in front of {pattern}, which differs from use to use")
        return replace(self, by_pattern=read, unread=tuple(unread))


def constants_of(model: nn.Module, pair: ModelPair, example: Any = None) -> Constants:
    """The constants of a forward pass.

    Args:
        model: Traced without memory for its parameters, so that it may be large.
        pair: Its parameters in their places.
        example: An input, as of :func:`specmup.tracing.examples.trace_example`.
    """
    offered = _offered(model, pair)
    try:
        traced = read_trace(trace_example(model, example))
    except NotTraced as problem:
        told = "the multipliers that it offers were taken" if offered else "taken to be constant"
        return Constants(offered, unread=(f"constants of the forward pass: {told}, as {problem}",))
    offsets = {canonical(name): offset for name, offset in traced.offsets.items()}
    read, unread = dict(offered), []
    several: dict[str, tuple[float, ...]] = {}
    for param in pair.params:
        pattern = param.spec.pattern
        seen = _constants_before(traced, param, pair)
        known = sorted(value for value in seen if value is not None)
        if len(known) == len(seen) == 1:
            read[pattern] = known[0]
        elif seen and pattern not in offered:
            if len(known) == len(seen):
                several[pattern] = tuple(known)
            else:
                unread.append(f"the constant in front of {pattern}, which is no single number")
    return Constants(
        by_pattern=read,
        several=several,
        offsets={
            p.spec.pattern: offsets[name]
            for p in pair.params
            for name in p.spec.names[:1]
            if name in offsets
        },
        attentions=traced.attentions,
        unread=tuple(unread),
    )


def _constants_before(traced: Traced, param: ScaledParam, pair: ModelPair) -> set[float | None]:
    """The constants in front of a parameter: the mean over the blocks, for each of its uses.

    The use as a head of an embedding that is tied is left out: it counts for the gain before it.
    """
    uses = {True, False} if not param.tied else {True}
    found = [
        values
        for (name, embeds), values in traced.constants.items()
        if canonical(name) in (*param.spec.names, *param.spec.aliases) and embeds in uses
    ]
    heads = [p for p in pair.params if p.tied]
    seen: set[float | None] = set()
    if len(found) == len(param.spec.names) and all(len(values) == 1 for values in found):
        seen = {_mean([next(iter(values)) for values in found])}
    else:
        seen = set().union(*found)
    if param.place == "final_norm" and heads:
        return _with_head(traced, heads[0], seen or {1.0})
    return seen


def _with_head(traced: Traced, head: ScaledParam, seen: set[float | None]) -> set[float | None]:
    """Constants of the last normalisation times those of the tied head behind it."""
    names = (*head.spec.names, *head.spec.aliases)
    behind = set().union(
        *(v for (n, embeds), v in traced.constants.items() if canonical(n) in names and not embeds)
    ) or {1.0}
    return {None if a is None or b is None else a * b for a in seen for b in behind}


def _mean(values: list[float | None]) -> float | None:
    known = [abs(value) for value in values if value]
    if len(known) < len(values):
        return None
    return known[0] if len(set(known)) == 1 else math.exp(sum(map(math.log, known)) / len(known))


def _offered(model: nn.Module, pair: ModelPair) -> dict[str, float]:
    """The multipliers that a model offers, by pattern of parameters.

    That of a branch stands beside its last map and that map's bias. The maps of a branch that are
    stacked in one tensor share it evenly, as they do in a plan's folded gauge.
    """
    offered = next((o for m in model.modules() if (o := offered_multipliers(m)) is not None), {})
    return {
        param.spec.pattern: offered[role] ** (1 / _share(param, pair))
        for param in pair.params
        if (role := _multiplier_beside(param, pair)) is not None and role in offered
    }


def _multiplier_beside(param: ScaledParam, pair: ModelPair) -> str | None:
    """Role of the multiplier that could be folded into a parameter; None where there is none.

    That of a tied head folds into the normalisation before it, as the matrix is also the embedding.
    """
    if param.place == "final_norm" and pair.tied:
        return "output"
    return PLACES[param.place].multiplier if param.place in BESIDE_MULTIPLIER else None


def _share(param: ScaledParam, pair: ModelPair) -> int:
    """How many maps share one multiplier within a tensor."""
    return pair.block_depth if param.place == "branch_end" and param.spec.stacked else 1
