"""The numbers of each parameter: base values times factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.optimizers.registry import ADAPTERS
from specmup.parametrization.base_values import BaseValues
from specmup.parametrization.factors import Factors


@dataclass(frozen=True)
class ParameterPlan:
    """The numbers of one parameter.

    Args:
        name: As ``named_parameters`` gives it.
        shape: As stored.
        role: One of :data:`specmup.theory.tables.ROLES`.
        place: What it does, one of :data:`specmup.inspection.places.PLACES`.
        fan_out: Number of outputs.
        fan_in: Number of inputs; 1 for vectors and for one-hot inputs.
        optimizer: What trains it.
        multiplier: α of the term in which it stands, as the forward pass must compute it.
        init_std: Standard deviation at the start; of a constant the constant, with ``offset``; of
            what is kept its root mean square. None if the base's is not known.
        learning_rate: η; None if the base's was not given.
        weight_decay: Decoupled decay λ; a step subtracts η·λ·W.
        epsilon: ε; None where the optimizer has none.
        factors: What the base values were multiplied by.
        start: How it starts: ``drawn``, ``constant``, or ``kept`` as the model makes it.
        offset: What the forward pass adds to it before it acts: 1 for a gain kept as 1 + w.
        zero_rows: Rows that stay zero though the others are drawn.
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
    start: str = "drawn"
    offset: float = 0.0
    zero_rows: tuple[int, ...] = ()
    tied: tuple[str, ...] = ()
    pattern: str = ""


def parameter_plans(
    pair: ModelPair,
    factors: Mapping[str, Factors],
    values: Mapping[str, BaseValues],
    starts: Mapping[str, float | None],
    multipliers: Mapping[str, float],
) -> Iterator[ParameterPlan]:
    """Base values times factors, for every parameter of every block, in the model's order.

    Args:
        pair: The model beside its base.
        factors: On the base values, by pattern.
        values: The base values that were given, by kind.
        starts: The base's own initial sizes, by pattern.
        multipliers: Of the forward pass at the target, by role.
    """
    for param in pair.params:
        name, role = param.spec.pattern, param.multiplier_role
        multiplier = 1.0 if role is None else multipliers.get(role, 1.0)
        yield from _alike(param, factors[name], values, starts[name], multiplier)


def _alike(
    param: ScaledParam,
    factors: Factors,
    values: Mapping[str, BaseValues],
    start: float | None,
    multiplier: float,
) -> Iterator[ParameterPlan]:
    """The same parameter of every block."""
    spec, numbers = param.spec, _numbers(param, factors, values, start)
    for name in spec.names:
        yield ParameterPlan(
            name=name,
            shape=spec.shape,
            role=param.role,
            place=param.place,
            fan_out=int(param.fan_out.target),
            fan_in=int(param.fan_in.target),
            optimizer=param.law.name,
            multiplier=multiplier,
            factors=factors,
            start=_start_kind(param, values.get("std")),
            offset=param.offset,
            zero_rows=() if param.own_start is None else param.own_start.zero_rows,
            tied=spec.aliases,
            pattern=spec.pattern,
            **numbers,
        )


def _start_kind(param: ScaledParam, std: BaseValues | None) -> str:
    """As the model starts it, unless a size was given for what it keeps or leaves at zero."""
    told = std is not None and std.of(param) is not None
    return "drawn" if told and (param.is_blank or param.start_kind == "kept") else param.start_kind


class _Numbers(TypedDict):
    init_std: float | None
    learning_rate: float | None
    weight_decay: float
    epsilon: float | None


def _numbers(
    param: ScaledParam, factors: Factors, values: Mapping[str, BaseValues], start: float | None
) -> _Numbers:
    given = {kind: value.of(param) for kind, value in values.items()}
    std = start if given.get("std") is None else given["std"]
    rate = values["learning_rate"].required(param) if "learning_rate" in values else None
    decay = given.get("weight_decay") or 0.0
    own, scaled = given.get("epsilon"), factors.epsilon
    epsilon = ADAPTERS[param.law.name].epsilon if own is None else own
    return {
        "init_std": None if std is None else std * factors.init_std,
        "learning_rate": None if rate is None else rate * factors.learning_rate,
        "weight_decay": decay * factors.weight_decay,
        "epsilon": None if epsilon is None or scaled is None else epsilon * scaled,
    }
