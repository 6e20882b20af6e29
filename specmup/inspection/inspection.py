"""All that can be seen of a model and its base: names first, then forward passes and starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from specmup.inspection.branch_ends import check_foldable_ends
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.names import canonical
from specmup.inspection.observation import CHEAP, Observation, as_seen, observe
from specmup.inspection.own_start import draws
from specmup.inspection.pairing import pair_models
from specmup.inspection.pass_checks import check_stream_kept
from specmup.inspection.places import declared_places, possible_role
from specmup.inspection.questions import Declaration, Undeclared
from specmup.inspection.seen import places_seen
from specmup.inspection.specs import spec_of
from specmup.inspection.verification import hold_against, with_own_starts
from specmup.theory.update import UpdateLaw
from specmup.tracing.examples import NotTraced

NOT_LOOKED = (
    "Nothing was held against the forward pass or the base's start, which takes seconds with {} "
    "tensors: give make_plan verify=True to have it done."
)


@dataclass(frozen=True)
class Inspection:
    """What was seen.

    Args:
        pair: The model beside its base.
        starts: Models as the base starts, with memory; empty where none was looked at.
        notes: What could not be seen, and what was put right.
        seen: The forward passes; None where none was looked at.
        unreached: Names of parameters that do not reach the output, whose places nobody declared.
    """

    pair: ModelPair
    starts: Sequence[nn.Module] = ()
    notes: tuple[str, ...] = ()
    seen: Observation | None = None
    unreached: frozenset[str] = frozenset()


def inspect_models(
    model: nn.Module,
    base: nn.Module,
    law: UpdateLaw,
    declared: Declaration,
    *,
    gauge: str | None,
    verify: bool | None = None,
    example: Any = None,
    rebuild: Callable[[], nn.Module] | None = None,
) -> Inspection:
    """Pair a model with its base, and hold the pair against what both do.

    Args:
        model: The target.
        base: The tuned model.
        law: Of the optimizer.
        declared: What the caller tells of the architecture.
        gauge: Of the plan that is to be held against the forward pass; None if none is.
        verify: Whether to look at forward passes and starts; None for where that is cheap, where an
            example is given, or where names do not tell enough. Else a note says that it was not.
        example: An input to trace with; found from the model if not given.
        rebuild: Makes the base again, with memory and another start; None if nothing does.

    Raises:
        ValueError: If something is unknown, does not fit, or would make a plan wrong.
    """
    tensors = sum(1 for _ in model.parameters())
    unasked = verify is None and (example is not None or tensors <= CHEAP)
    looks = verify or unasked
    seen, notes = _observed(model, base, example) if looks else (None, ())
    try:
        pair = _paired(model, base, law, declared, seen, notes, gauge)
        notes = notes if looks or verify is False else (NOT_LOOKED.format(tensors),)
    except Undeclared:
        if looks or verify is False:
            raise
        # What names do not tell, the forward pass may show, though it takes its time.
        seen, notes = _observed(model, base, example)
        pair = _paired(model, base, law, declared, seen, notes, gauge)
    if seen is None:
        return Inspection(pair, notes=notes)
    of_pass = tuple(_told_otherwise(base, declared, seen))
    if gauge is not None:
        pair, held = hold_against(pair, seen, gauge=gauge, places=declared.places)
        of_pass += held
    starts = draws(base, rebuild)
    pair, of_start = with_own_starts(pair, starts)
    told = declared_places(spec_of(model), (), declared.places)
    unreached = frozenset(map(canonical, seen.target.unreached)) - told.keys()
    return Inspection(pair, starts, (*notes, *of_pass, *of_start), seen, unreached)


def _paired(
    model: nn.Module,
    base: nn.Module,
    law: UpdateLaw,
    declared: Declaration,
    seen: Observation | None,
    notes: tuple[str, ...],
    gauge: str | None,
) -> ModelPair:
    """The pair; what is asked for tells as well why the forward pass did not answer it."""
    try:
        return pair_models(model, base, law, declared, seen=seen)
    except Undeclared as asked:
        asks, told = asked.proposal, declared
        deeper = (asks.branch_ends, asks.block_depth) != (told.branch_ends, told.block_depth)
        if seen is not None and gauge is not None and deeper:
            # What no declaration would put right is said before one is proposed.
            check_stream_kept(seen, deeper=True)
            if gauge == "folded":
                check_foldable_ends(seen.target)
        raise asked.because(notes) from None


def _told_otherwise(base: nn.Module, declared: Declaration, seen: Observation) -> Iterator[str]:
    """Matrices that are declared to stand where the forward pass shows that they do not."""
    spec = as_seen(spec_of(base), seen)
    shown = places_seen(seen.base, spec).places
    told = declared_places(spec, declared.branch_ends, declared.places)
    for name, param in spec.params.items():
        place, own = told.get(name), shown.get(name)
        if place and own and not param.is_vector:
            if possible_role(param, place) != possible_role(param, own):
                yield f"{name}: seen to stand as {own}, and planned as declared, as {place}."


def _observed(
    model: nn.Module, base: nn.Module, example: Any
) -> tuple[Observation | None, tuple[str, ...]]:
    """Both forward passes, if they run; and a note if they do not."""
    try:
        return observe(model, base, example), ()
    except NotTraced as problem:
        why = str(problem).rstrip(".")  # which may be a sentence of torch's
        return None, (
            f"Nothing was held against the forward pass: {why}. Give make_plan an input that "
            "the model takes, example=… (a tensor, a tuple, or a mapping by name), or, if it "
            "does not run where parameters have no memory, the models in place of factories.",
        )
