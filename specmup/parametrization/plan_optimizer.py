"""The optimizer of a plan: parameter groups, and what an optimizer of matrices takes apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from specmup.parametrization.cutting import cuts
from specmup.parametrization.parameter_plan import ParameterPlan
from specmup.theory.update import update_law

if TYPE_CHECKING:
    from specmup.optimizers.of_matrices import Views

Trained = Iterable[tuple[ParameterPlan, nn.Parameter]]

# An optimizer's options that a plan decides, and what make_plan calls them.
RESERVED_OPTIONS = {"lr": "learning_rate", "weight_decay": "weight_decay", "eps": "epsilon"}


def grouped(trained: Trained, optimizer_name: str) -> list[dict]:
    """Parameter groups, one for all parameters of equal numbers."""
    groups: dict[tuple[tuple[str, float], ...], list[nn.Parameter]] = {}
    for entry, parameter in trained:
        assert entry.learning_rate is not None
        numbers = {"lr": entry.learning_rate, "weight_decay": entry.weight_decay}
        if entry.epsilon is not None:
            numbers["eps"] = entry.epsilon
        if entry.optimizer != optimizer_name:
            numbers["companion"] = True
        groups.setdefault(tuple(numbers.items()), []).append(parameter)
    return [{"params": params, **dict(numbers)} for numbers, params in groups.items()]


def made_optimizer(
    optimizer_name: str,
    groups: list[dict],
    cut: Mapping[Tensor, Views],
    companion: Mapping | None,
    options: Mapping[str, Any],
) -> Optimizer:
    """The optimizer of a name, over the views into which tensors are cut.

    Raises:
        ValueError: If an option is a number that a plan holds for each group, or is unknown.
    """
    from specmup.optimizers.of_matrices import OfMatrices  # libraries load for seconds
    from specmup.optimizers.registry import make_optimizer

    for key, kind in RESERVED_OPTIONS.items():
        if key in {**options, **(companion or {})}:
            raise ValueError(
                f"{key} is a number of the plan, one for each group: give it to make_plan, as "
                f"{kind}"
            )

    def make(groups: list[dict]) -> Optimizer:
        return make_optimizer(optimizer_name, groups, companion=companion, **options)

    return OfMatrices(groups, make, cut) if cut else make(groups)


def cut_apart(
    trained: Trained, optimizer_name: str, model: nn.Module, split: Mapping[str, int]
) -> dict[Tensor, Views]:
    """What an optimizer of matrices takes each of its tensors apart into.

    Raises:
        ValueError: If a tensor cannot be taken apart, or the optimizer takes none apart.
    """
    if update_law(optimizer_name).matrices_only:
        own = [both for both in trained if both[0].optimizer == optimizer_name]
        return cuts(own, model, split)
    if split:
        raise ValueError(f"split= is for optimizers of matrices, not {optimizer_name}")
    return {}
