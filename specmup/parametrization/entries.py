"""The numbers of each parameter: base values times factors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from specmup.parametrization.base_values import EPSILON, BaseValues
from specmup.parametrization.comparison import Comparison, Member
from specmup.parametrization.factors import Factors, optimizer_of


@dataclass(frozen=True)
class ParameterPlan:
    """The numbers of one parameter.

    Args:
        name: As ``named_parameters`` gives it.
        shape: As stored.
        role: One of :data:`specmup.theory.tables.ROLES`.
        place: What it does, one of :data:`specmup.parametrization.places.PLACES`.
        fan_out: Number of outputs.
        fan_in: Number of inputs; 1 for vectors and for one-hot inputs.
        optimizer: What trains it.
        multiplier: α of the term in which it stands, as the forward pass must compute it.
        init_std: Standard deviation at the start, or the constant at which a gain starts; None if
            the base's is not known.
        learning_rate: η; None if the base's was not given.
        weight_decay: Decoupled decay λ; a step subtracts η·λ·W.
        epsilon: ε; None where the optimizer has none.
        factors: What the base values were multiplied by.
        is_gain: Whether it starts at a constant.
        tied: Other names of the same tensor.
        pattern: Its name with ``*`` for the number of the block.
    """

    name: str
    shape: tuple[int, ...]
    role: str
    place: str
    fan_out: int
    fan_in: int
    optimizer: str
    multiplier: float
    init_std: float | None
    learning_rate: float | None
    weight_decay: float
    epsilon: float | None
    factors: Factors
    is_gain: bool = False
    tied: tuple[str, ...] = ()
    pattern: str = ""


def entries(
    comparison: Comparison,
    optimizer: str,
    factors: Callable[[Member], Factors],
    values: Mapping[str, BaseValues],
    start: Mapping[str, float | None],
    multipliers: Mapping[str, float],
) -> tuple[ParameterPlan, ...]:
    """Base values times factors, parameter by parameter.

    Args:
        comparison: The model beside its base.
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        factors: Of a member.
        values: The base values that were given, by kind.
        start: The base's own initial sizes, by pattern.
        multipliers: Of the forward pass at the target, by role.
    """
    made = []
    for member in comparison.members:
        own, name = factors(member), optimizer_of(member, optimizer)
        numbers = _numbers(member, name, own, values, start[member.part.pattern])
        part = member.part
        made += [
            ParameterPlan(
                name=one,
                shape=part.shape,
                role=member.role,
                place=member.place,
                fan_out=int(member.fan_out.target),
                fan_in=int(member.fan_in.target),
                optimizer=name,
                multiplier=multipliers.get(member.multiplier_role, 1.0),
                factors=own,
                is_gain=part.is_gain,
                tied=part.aliases,
                pattern=part.pattern,
                **numbers,
            )
            for one in part.names
        ]
    return tuple(made)


def _numbers(
    member: Member,
    optimizer: str,
    factors: Factors,
    values: Mapping[str, BaseValues],
    start: float | None,
) -> dict[str, float | None]:
    given = {kind: value.of(member) for kind, value in values.items()}
    std = start if given.get("std") is None else given["std"]
    rate = values["learning_rate"].required(member) if "learning_rate" in values else None
    decay = given.get("weight_decay") or 0.0
    epsilon = given.get("epsilon")
    if epsilon is None:
        epsilon = EPSILON.get(optimizer)
    return {
        "init_std": None if std is None else std * factors.init_std,
        "learning_rate": None if rate is None else rate * factors.learning_rate,
        "weight_decay": decay * factors.weight_decay,
        "epsilon": None if factors.epsilon is None else epsilon * factors.epsilon,
    }
