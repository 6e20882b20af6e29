"""What schedules take from a plan's optimizer, and what they have made of its rates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from torch import nn
from torch.optim import Optimizer

from specmup.inspection.names import abbreviated
from specmup.parametrization.parameter_plan import ParameterPlan

# Schedules compute in double precision, some of them step by step from the rate before.
ROUNDING = 1e-6


def base_numbers(entries: Sequence[ParameterPlan]) -> dict[str, float]:
    """The base's own rate and decay, which schedules look for among an optimizer's defaults.

    Schedules take from there what all groups' rates are relative to, such as a floor. Where roles
    have base values of their own, those of the branches' matrices count.
    """
    entry = next((e for e in entries if e.role == "hidden"), entries[0])
    assert entry.learning_rate is not None  # or there would be no groups
    return {
        "lr": entry.learning_rate / entry.factors.learning_rate,
        "weight_decay": entry.weight_decay / entry.factors.weight_decay,
    }


def schedule_factor(
    planned: Iterable[tuple[ParameterPlan, nn.Parameter]], optimizer: Optimizer
) -> float:
    """The one factor between an optimizer's rates and the plan's.

    Args:
        planned: Every parameter that is trained, with its plan.
        optimizer: Anything with ``param_groups``, a trainer's wrapper too.

    Raises:
        ValueError: If the optimizer lacks a parameter, or there is no one factor.
    """
    rates = {id(p): float(g["lr"]) for g in optimizer.param_groups for p in g["params"]}
    told = [(entry, entry.learning_rate or 0.0, rates.get(id(p))) for entry, p in planned]
    if lacking := [entry.name for entry, _, rate in told if rate is None]:
        raise ValueError(
            f"the optimizer does not hold {abbreviated(lacking)}: make it from this very model, "
            "after what replaces parameters, such as sharding"
        )
    found = [(entry, due, rate) for entry, due, rate in told if rate is not None]
    _, most, its_rate = max(found, key=lambda one: one[1])
    factor = its_rate / most if most else 1.0
    odd = {
        entry.pattern: f"{entry.pattern} at {rate:.4g} instead of {factor * due:.4g}"
        for entry, due, rate in found
        if not math.isclose(rate, factor * due, rel_tol=ROUNDING)
    }
    if odd:
        raise ValueError(
            f"the rates are not one factor times the plan's: the largest is at {factor:.4g} of its "
            f"own, but {abbreviated(odd.values(), 3)}. Hand plan.optimizer(model) to what trains, "
            "and take a schedule that multiplies each group's own rate"
        )
    return factor
