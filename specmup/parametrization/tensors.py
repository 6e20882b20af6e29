"""The tensors of a model that a plan's entries speak of, found by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from specmup.inspection.names import abbreviated, known_by, parameters_by_name
from specmup.parametrization.parameter_plan import ParameterPlan


def tensors_of(
    model: nn.Module, entries: Sequence[ParameterPlan], index: Mapping[str, ParameterPlan]
) -> dict[str, nn.Parameter]:
    """The model's parameters by the plan's names; wrappers' prefixes do not matter.

    Args:
        model: For which the plan was made, wrapped or not.
        entries: All of the plan's.
        index: The same by all their names.

    Raises:
        ValueError: If it is no module; or if model and plan differ: a parameter is not known,
            missing, there twice, or of another shape.
    """
    require_module(model)
    own = parameters_by_name(model)
    known = known_by(own, index)
    found = {known[name]: parameter for name, parameter in own.items()}
    if unknown := [name for name in found if name not in index]:
        raise ValueError(
            f"the model has {abbreviated(unknown)}, which the plan does not know: make the "
            "plan for this model"
        )
    for entry in entries:
        names = [name for name in (entry.name, *entry.tied) if name in found]
        if len(names) != 1:
            raise ValueError(
                f"the model has {len(names) or 'no'} tensors for {entry.name}"
                f"{''.join(f' = {name}' for name in entry.tied)}: plan and model differ; make "
                "the plan for this model"
            )
        parameter = found[entry.name] = found[names[0]]
        if tuple(parameter.shape) != entry.shape:
            raise ValueError(
                f"{entry.name} is {tuple(parameter.shape)} in the model and {entry.shape} in "
                "the plan: make the plan for this model"
            )
    return found


def require_module(model: object) -> None:
    """Refuse a factory, as make_plan takes one: what is applied to its model would be lost.

    Raises:
        ValueError: If it is no module.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"{model!r} is no module: give the model itself, not what makes it, as in "
            "plan.initialise(build())"
        )
