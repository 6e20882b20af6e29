"""What training code gives every parameter at one size: start, learning rate, decay, ε.

Nothing is trained. A start is measured on the parameters, and the rest is read from the groups of
the optimizer as they stand when it has been made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from specmup.auditing.constants import Constants
from specmup.auditing.laws import law_name
from specmup.inspection.names import parameters_by_name
from specmup.inspection.specs import ModelSpec, ParamSpec, spec_of
from specmup.theory.rules import COMPANION

Build = Callable[[int, int], object]
OptimizerOf = Callable[[nn.Module], Optimizer | Sequence[Optimizer]]

FROZEN = "frozen"
MISSING = "not in the optimizer"


@dataclass(frozen=True)
class Numbers:
    """What the parameters of one pattern are given; geometric means over the blocks.

    Args:
        start: Root mean square at the start.
        start_error: Its relative standard error, from how it was drawn; 0 for a constant.
        learning_rate: η; before any schedule, where one has been set up already.
        weight_decay: λ.
        epsilon: ε; None where the group has none.
        betas: Of the averages; None where the group has none.
        law: Name of the update law that moves it; None where nothing does.
        still: Why nothing moves it; empty where something does.
        uneven: Which numbers differ from block to block.
        scheduled: Whether a schedule has already set another learning rate.
        coupled: Whether its decay is added to the gradient where the law subtracts it.
    """

    start: float
    start_error: float
    learning_rate: float | None = None
    weight_decay: float | None = None
    epsilon: float | None = None
    betas: object = None
    law: str | None = None
    still: str = ""
    uneven: tuple[str, ...] = ()
    scheduled: bool = False
    coupled: bool = False


@dataclass(frozen=True)
class Reading:
    """One build, read.

    Args:
        width: As it was asked of the build.
        depth: Likewise.
        model: The model.
        spec: Its parameters.
        numbers: What each pattern of parameters is given.
        optimizers: Names of the optimizers' classes.
        example: An input that the build gave.
        constants: Of the forward pass.
    """

    width: int
    depth: int
    model: nn.Module
    spec: ModelSpec
    numbers: Mapping[str, Numbers]
    optimizers: tuple[str, ...]
    example: Any = None
    constants: Constants = field(default_factory=Constants)


def read(
    build: Build,
    optimizer_of: OptimizerOf | None,
    width: int,
    depth: int,
    *,
    told: str | None,
    draws: int,
) -> Reading:
    """Build at one size, and read.

    Args:
        build: From (width, depth) to a model and its optimizer, or to a model alone; a third thing
            that it gives is an example of its input.
        optimizer_of: From a model to its optimizer, or several; None where ``build`` gives them.
        width: Size.
        depth: Size.
        told: The update law, where its optimizer's class does not tell it.
        draws: How often the model is built, for starts that are drawn.

    Raises:
        ValueError: If ``build`` makes anything else, or a size it cannot make.
    """
    model, optimizers, example = _built(build, optimizer_of, width, depth)
    starts = [parameters_by_name(model)]
    starts += [parameters_by_name(_model(build(width, depth))) for _ in range(draws - 1)]
    spec, groups = spec_of(model), _groups(optimizers)
    return Reading(
        width=width,
        depth=depth,
        model=model,
        spec=spec,
        numbers={
            pattern: _numbers(param, starts, groups, told) for pattern, param in spec.params.items()
        },
        optimizers=tuple(type(optimizer).__name__ for optimizer in optimizers),
        example=example,
    )


def _built(
    build: Build, optimizer_of: OptimizerOf | None, width: int, depth: int
) -> tuple[nn.Module, list[Optimizer], Any]:
    made = build(width, depth)
    model = _model(made)
    if optimizer_of is not None:
        given: object = optimizer_of(model)
    else:
        given = made[1] if isinstance(made, tuple) and len(made) > 1 else None
    optimizers = list(given) if isinstance(given, list | tuple) else [given]
    for optimizer in optimizers:
        if not hasattr(optimizer, "param_groups"):
            raise ValueError(
                f"build({width}, {depth}) gave {optimizer!r} for an optimizer: return (model, "
                "optimizer), or give optimizer_of, a function from the model to it"
            )
    return model, optimizers, made[2] if isinstance(made, tuple) and len(made) > 2 else None


def _model(made: object) -> nn.Module:
    model = made[0] if isinstance(made, tuple) and made else made
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"build made {type(model).__name__} where a model was awaited: return (model, "
            "optimizer) for (width, depth)"
        )
    return model


def _groups(optimizers: Iterable[Optimizer]) -> dict[int, tuple[Optimizer, Mapping]]:
    """The optimizer and the group of each tensor, by its identity."""
    return {
        id(parameter): (optimizer, group)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def _numbers(
    param: ParamSpec,
    starts: Sequence[Mapping[str, nn.Parameter]],
    groups: Mapping[int, tuple[Optimizer, Mapping]],
    told: str | None,
) -> Numbers:
    start, error = _start([drawn[n] for drawn in starts for n in _known(param, drawn)])
    own = [starts[0][name] for name in _known(param, starts[0])]
    if not all(parameter.requires_grad for parameter in own):
        return Numbers(start, error, still=FROZEN)
    found = [groups[id(parameter)] for parameter in own if id(parameter) in groups]
    if len(found) < len(own):
        return Numbers(start, error, still=MISSING)
    groups_of = [group for _, group in found]
    law = law_name(*found[0], told=told)
    rates = [float(group.get("initial_lr", group["lr"])) for group in groups_of]
    decays = [float(group.get("weight_decay", 0.0)) for group in groups_of]
    epsilons = [group.get("eps") for group in groups_of]
    coupled = law == COMPANION.name and _is_coupled(*found[0]) and max(decays) > 0
    uneven: dict[str, list] = {"the learning rate": rates, "the decay": decays, "ε": epsilons}
    return Numbers(
        start,
        error,
        learning_rate=_mean(rates),
        weight_decay=None if coupled else _mean(decays),
        epsilon=_epsilon(epsilons),
        betas=groups_of[0].get("betas", groups_of[0].get("momentum")),
        law=law,
        uneven=tuple(name for name, values in uneven.items() if len(set(map(str, values))) > 1),
        scheduled=any(
            float(group["lr"]) != rate for group, rate in zip(groups_of, rates, strict=True)
        ),
        coupled=coupled,
    )


def _is_coupled(optimizer: Optimizer, group: Mapping) -> bool:
    """Whether an Adam adds its decay to the gradient: torch says so in the group."""
    return not group.get("decoupled_weight_decay", type(optimizer).__name__ != "Adam")


def _known(param: ParamSpec, parameters: Mapping[str, nn.Parameter]) -> list[str]:
    """Of each block's names the one under which the tensor is listed: a tied one has several."""
    return [name for name in (*param.names, *param.aliases) if name in parameters]


def _start(parameters: Sequence[Tensor]) -> tuple[float, float]:
    """Root mean square of all entries, and its relative standard error."""
    squares = torch.cat([p.detach().double().flatten().square() for p in parameters])
    mean = squares.mean().item()
    if mean == 0 or len(squares) < 2:
        return math.sqrt(mean), 0.0 if mean == 0 else 1.0
    return math.sqrt(mean), (squares.var() / len(squares)).sqrt().item() / (2 * mean)


def _mean(values: Sequence[float]) -> float:
    """The geometric mean; zero if any value is."""
    if min(values) <= 0:
        return 0.0
    return (
        values[0] if len(set(values)) == 1 else math.exp(sum(map(math.log, values)) / len(values))
    )


def _epsilon(values: Sequence[object]) -> float | None:
    """Muon's ε is none of the theory's; nor is a pair of them, as Adafactor has."""
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return _mean(numbers) if len(numbers) == len(values) else None
