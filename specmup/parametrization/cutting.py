"""Which tensors an optimizer of matrices must take apart, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from specmup.parametrization.parameter_plan import ParameterPlan

if TYPE_CHECKING:
    from specmup.optimizers.of_matrices import Views


def cuts(
    trained: Iterable[tuple[ParameterPlan, nn.Parameter]],
    model: nn.Module,
    split: Mapping[str, int],
) -> dict[Tensor, Views]:
    """By parameter, how it is taken apart; matrices are left out.

    Args:
        trained: What the optimizer of matrices trains.
        model: To which the parameters belong.
        split: Number of maps that a matrix fuses, by a pattern of its name.

    Raises:
        ValueError: If a pattern fits nothing, a number does not divide the outputs, or a tensor is
            the kernel of a transposed convolution, whose matrix is no view.
    """
    trained = list(trained)
    names = [entry.name for entry, _ in trained]
    for pattern in split:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(
                f"split: {pattern!r} fits none of the matrices {', '.join(names[:4])} …: "
                "give a pattern of a name"
            )
    home = {id(p): module for module in model.modules() for p in module.parameters(recurse=False)}
    found: dict[Tensor, Views] = {}
    for entry, parameter in trained:
        maps = next((n for pattern, n in split.items() if fnmatchcase(entry.name, pattern)), 1)
        if maps != 1 or parameter.ndim != 2:
            found[parameter] = _views(entry, home.get(id(parameter)), maps)
    return found


def _views(entry: ParameterPlan, module: nn.Module | None, maps: int) -> Views:
    from specmup.optimizers.of_matrices import kernel, stacked

    if isinstance(module, _ConvTransposeNd):
        raise ValueError(
            f"{entry.name} is the kernel of a transposed convolution, which no view shows as a "
            "matrix: train it by AdamW, with places={…} for it, or by another optimizer"
        )
    if isinstance(module, _ConvNd):
        return kernel
    if len(entry.shape) != 2:
        return stacked if prod(entry.shape) > entry.fan_out * entry.fan_in else _one_map(entry)
    dim = 0 if entry.shape[0] == entry.fan_out else 1
    if maps < 1 or entry.fan_out % maps:
        raise ValueError(
            f"{entry.name} has {entry.fan_out} outputs, which are not {maps} maps of one size: "
            "give split= the number of maps that it fuses"
        )
    return partial(torch.chunk, chunks=maps, dim=dim)


def _one_map(entry: ParameterPlan) -> Views:
    """A map whose heads have a dimension of their own, as the matrix that it is."""
    from specmup.optimizers.of_matrices import merged

    fans = {entry.fan_out, entry.fan_in}
    for first in range(1, len(entry.shape)):
        if {prod(entry.shape[:first]), prod(entry.shape[first:])} == fans:
            return partial(merged, first=first)
    raise ValueError(
        f"{entry.name}, of shape {entry.shape}, is one map of {entry.fan_in} to {entry.fan_out} "
        "whose dimensions stand in an order that no view shows as a matrix: store it as (n_out, "
        f"n_in), or take another optimizer than {entry.optimizer}"
    )
