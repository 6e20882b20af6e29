"""One call from a model and a tuned base to numbers for every parameter.

plan = make_plan(large, base=small, optimizer="adamw", learning_rate=2**-9, std=0.02)
plan.initialise(large, seed=0)
optimizer = plan.optimizer(large, betas=(0.9, 0.95))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import nn

from specmup.inspection.inspection import inspect_models
from specmup.inspection.multipliers import offered_multipliers
from specmup.inspection.questions import Declaration
from specmup.parametrization.attention import AttentionScale, attention_scales
from specmup.parametrization.base_values import NumberOrByName, base_values, own_initial_sizes
from specmup.parametrization.factors import PARAMETRIZATIONS, factors_of, multiplier_factors
from specmup.parametrization.fading import fading
from specmup.parametrization.gauges import GAUGES, check_foldable
from specmup.parametrization.notes import SP, notes
from specmup.parametrization.parameter_plan import ParameterPlan, parameter_plans
from specmup.parametrization.planned import Plan
from specmup.parametrization.resize import rebuilder, resized
from specmup.theory.update import UpdateLaw, update_law
from specmup.tracing.copies import built_on_meta, built_without_memory

Model = nn.Module | Callable[[], nn.Module]

__all__ = ["ParameterPlan", "Plan", "make_plan"]


def make_plan(
    model: Model,
    *,
    base: Model | Mapping[str, int],
    optimizer: str = "adamw",
    learning_rate: NumberOrByName | None = None,
    std: NumberOrByName | None = None,
    weight_decay: NumberOrByName | None = None,
    epsilon: NumberOrByName | None = None,
    gauge: str | None = None,
    block_depth: int | None = None,
    branch_ends: str | Sequence[str] = (),
    places: Mapping[str, str] | None = None,
    parametrization: str = "spectral",
    verify: bool | None = None,
    example: Any = None,
    set_attention: bool = True,
) -> Plan:
    """The plan for a model, from base values that were tuned on a smaller one.

    Base values are numbers, or mappings from roles and patterns of parameter names to numbers; the
    first key that fits counts, and ``"*"`` fits all.

    Args:
        model: The target, or a factory of it without arguments, called on the meta device.
        base: The tuned model, or a factory of it; or, for a model that keeps its configuration,
            the sizes that differ: ``{"width": 256, "depth": 4}`` or ``{"n_embd": 256}``.
        optimizer: A name in :data:`specmup.theory.update.LAWS`; ``adamw`` for Adam, without decay.
            One that is made for matrices gets AdamW as its companion on all but the branches'
            matrices.
        learning_rate: Of the base; without it the plan holds factors only.
        std: Initial standard deviation of the base's matrices, also of those that it starts at
            zero. Without it, the base's own start, measured if it has memory. Gains start at one
            and biases at zero unless the base, or a key of a mapping, says otherwise.
        weight_decay: Decoupled decay of the base, zero by default. A number holds for matrices;
            gains and biases decay only under a key of their own.
        epsilon: ε of the base, for parameters whose optimizer has one; the library's by default.
        gauge: ``forward`` writes multipliers into the model's ``multipliers``; ``folded`` leaves
            the forward pass alone. By default forward where the model offers them.
        block_depth: Number k of maps in a branch; known architectures need none.
        branch_ends: Patterns of modules or parameters that end a branch, for other architectures.
        places: Pattern to place (:data:`specmup.inspection.places.PLACES`), for what nothing
            else tells.
        parametrization: ``spectral``, or ``sp`` for the standard parametrization to compare with.
        verify: Hold the plan against the forward passes of model and base, traced without memory,
            and against the base's own start, drawn twice. What can be put right is: constants that
            differ between the sizes, gains kept as 1 + w, layouts of bare tensors, normalisations
            of the stream. What cannot is refused. By default where that takes a second or so, where
            an ``example`` is given, or where names do not tell enough; else a note says that it
            was not done.
        example: An input to trace with: a tensor, a tuple of arguments or a mapping of arguments by
            name; found from the model if not given.
        set_attention: Where the dimension of a head grows, set what attention logits are multiplied
            by, so that they go by 1/d, if the modules that attend hold it; else it is said only.

    Raises:
        ValueError: If the base does not fit the model, something is unknown, or a tie cannot be
            kept; the message says what to do.

    >>> from specmup.models.gpt import GPT, GPTShape
    >>> base, large = (GPTShape(64, 16, width, depth) for width, depth in ((64, 2), (256, 8)))
    >>> plan = make_plan(lambda: GPT(large), base=lambda: GPT(base), learning_rate=0.01, std=0.02)
    >>> plan["blocks.0.mlp.up.weight"].learning_rate, plan["tokens.weight"].learning_rate
    (0.0025, 0.01)
    """
    law = update_law(optimizer)
    _check_words(law, epsilon, branch_ends, places, block_depth, parametrization)
    model, base, rebuild = _models(model, base, trace=verify is not False)
    gauge = _gauge(gauge, model)
    spectral = parametrization == "spectral"
    found = inspect_models(
        model,
        base,
        law,
        Declaration.of(branch_ends, places, block_depth),
        gauge=gauge if spectral else None,
        verify=verify,
        example=example,
        rebuild=rebuild,
    )
    pair = found.pair
    given = {"learning_rate": learning_rate, "std": std, "weight_decay": weight_decay}
    values = base_values({**given, "epsilon": epsilon}, pair)
    if spectral:
        check_foldable(pair, gauge, found.unreached)
    own, scaled = _base_multipliers(base, model), multiplier_factors(parametrization, pair, gauge)
    multipliers = {role: own[role] * scaled[role] for role in own}
    starts = own_initial_sizes(base, pair, found.starts)
    factors = {
        param.spec.pattern: factors_of(param, pair, parametrization=parametrization, gauge=gauge)
        for param in pair.params
    }
    entries = tuple(parameter_plans(pair, factors, values, starts, multipliers))
    said: tuple[str, ...] = SP
    scales: tuple[AttentionScale, ...] = ()
    if spectral:
        fades = fading(found.starts, pair, entries, example, found.seen)
        scales = attention_scales(model, found.seen, example) if set_attention else ()
        about = notes(pair, gauge, model, base, found.seen, scales, values.get("std"))
        said = (*found.notes, *fades, *about)
    return Plan(
        optimizer_name=law.name,
        gauge=gauge,
        block_depth=pair.block_depth,
        parametrization=parametrization,
        width=pair.width,
        depth=pair.depth,
        architecture=pair.told_by,
        entries=entries,
        multipliers=multipliers,
        keeps_own_start=pair.at_base and std is None,
        notes=said,
        attention=scales,
    )


def _check_words(
    law: UpdateLaw,
    epsilon: NumberOrByName | None,
    branch_ends: object,
    places: Mapping[str, str] | None,
    block_depth: int | None,
    parametrization: str,
) -> None:
    """Refuse what no model could make right."""
    if epsilon is not None and law.epsilon is None and not law.matrices_only:
        raise ValueError(f"{law.title} has no ε, but epsilon is {epsilon}: leave it out")
    if not isinstance(branch_ends, str) and not _names(branch_ends):
        raise ValueError(f"branch_ends is {branch_ends!r}: give names of maps, ['out', …]")
    told = {} if places is None else places
    if not isinstance(told, Mapping) or not _names([*told, *told.values()]):
        raise ValueError(f"places is {places!r}: give a mapping, {{'name': 'place'}}")
    if block_depth is not None and not isinstance(block_depth, int):
        raise ValueError(f"block depth is {block_depth!r}: give the number of maps in a branch")
    if parametrization not in PARAMETRIZATIONS:
        raise ValueError(
            f"unknown parametrization {parametrization!r}: choose one of "
            f"{', '.join(PARAMETRIZATIONS)}"
        )


def _names(found: object) -> bool:
    listed = isinstance(found, Sequence) and not isinstance(found, bytes)
    return listed and all(isinstance(name, str) for name in cast(Sequence, found))


def _models(
    model: Model, base: Model | Mapping[str, int], *, trace: bool
) -> tuple[nn.Module, nn.Module, Callable[[], nn.Module] | None]:
    """Model and base, and what makes the base again, with memory and another start."""
    build = built_without_memory if trace else built_on_meta
    target = _made(model, build)
    small = resized(target, base) if isinstance(base, Mapping) else _made(base, build)
    if isinstance(base, nn.Module | Mapping):
        return target, small, rebuilder(small)
    return target, small, base


def _made(model: Model, build: Callable[[Callable[[], nn.Module]], nn.Module]) -> nn.Module:
    """A model as it is, or what a factory makes without memory."""
    if isinstance(model, nn.Module):
        return model
    if not callable(model):
        raise ValueError(f"a model is a module or a factory of one, not {model!r}")
    made = build(model)
    if not isinstance(made, nn.Module):
        raise ValueError(
            f"the factory {model!r} made a {type(made).__name__}: it must return a module"
        )
    return made


def _gauge(asked: str | None, model: nn.Module) -> str:
    offers = offered_multipliers(model) is not None
    if asked is None:
        return "forward" if offers else "folded"
    if asked not in GAUGES:
        raise ValueError(f"unknown gauge {asked!r}: choose one of {', '.join(GAUGES)}")
    if asked == "forward" and not offers:
        raise ValueError(
            "gauge='forward' needs a model with a dictionary `multipliers` that its forward pass "
            "reads, with the keys hidden and output: add one, or use gauge='folded'"
        )
    return asked


def _base_multipliers(base: nn.Module, model: nn.Module) -> Mapping[str, float]:
    """The base's own multipliers, which must be of the same kinds as the model's."""
    of_base, offered = offered_multipliers(base) or {}, offered_multipliers(model) or {}
    if set(of_base) != set(offered):
        raise ValueError(
            f"the model offers the multipliers {', '.join(offered or ['none'])}, the base "
            f"{', '.join(of_base or ['none'])}: a base is the same architecture at another size"
        )
    return of_base
