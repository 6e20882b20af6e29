"""A model's start under a plan: drawn anew, or the model's own start rescaled."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specmup.streams import stream


@dataclass(frozen=True)
class Start:
    """How a parameter starts.

    Args:
        size: Root mean square: the standard deviation of a draw, or a constant. None if unknown.
        constant: Whether all entries are equal: a gain.
    """

    size: float | None
    constant: bool


Starts = Sequence[tuple[str, nn.Parameter, Start]]


@torch.no_grad()
def redraw(parameters: Starts, seed: int) -> None:
    """Draw each parameter from N(0, size²), one after the other; gains become their constant.

    The draw is made on the CPU in float32, so it does not depend on device or precision.

    Raises:
        ValueError: If a size is unknown or a parameter is on the meta device.
    """
    generator = stream("weights", seed)
    for _, parameter, size, constant in _known(parameters):
        if constant or size == 0:
            parameter.fill_(size)
        else:
            drawn = torch.randn(parameter.shape, generator=generator) * size
            parameter.copy_(drawn)


@torch.no_grad()
def rescale(parameters: Starts) -> None:
    """Multiply each parameter until its root mean square is the start's size.

    Whatever is drawn stays of its kind: a uniform stays uniform. A second call changes nothing.

    Raises:
        ValueError: If a size is unknown, a parameter is on the meta device, or one that is zero
            should not be.
    """
    for name, parameter, size, _ in _known(parameters):
        own = root_mean_square(parameter)
        if math.isclose(own, size, rel_tol=torch.finfo(parameter.dtype).eps):
            continue
        if own == 0:
            raise ValueError(
                f"{name} is zero and should start at {size:g}, to which nothing scales it: "
                "initialise the model first, or give plan.initialise a seed to draw with"
            )
        parameter.mul_(size / own)


def root_mean_square(tensor: Tensor) -> float:
    """√ of the mean square of all entries, in double precision."""
    return tensor.detach().double().square().mean().sqrt().item()


def offered_multipliers(model: nn.Module) -> MutableMapping[str, float] | None:
    """The multipliers α by role that a model's forward pass applies; None if it offers none.

    A model offers them as an attribute ``multipliers``: a dictionary with the keys ``hidden`` and
    ``output``, and perhaps ``input``, which its forward pass reads each time.
    """
    offered = getattr(model, "multipliers", None)
    known = isinstance(offered, MutableMapping) and {"hidden", "output"} <= set(offered)
    return offered if known else None


def set_multipliers(model: nn.Module, values: Mapping[str, float]) -> None:
    """Write multipliers into a model that offers them.

    Raises:
        ValueError: If there are some to write and the model offers none.
    """
    if not values:
        return
    offered = next((o for m in model.modules() if (o := offered_multipliers(m)) is not None), None)
    if offered is None:
        raise ValueError(
            "the plan has multipliers for the forward pass and the model takes none: give it a "
            "dictionary `multipliers`, or make the plan with gauge='folded'"
        )
    offered.update(values)


def _known(parameters: Starts) -> list[tuple[str, nn.Parameter, float, bool]]:
    """Name, parameter, size and whether it is a constant, if all are there to be set."""
    known = []
    for name, parameter, start in parameters:
        if start.size is None:
            raise ValueError(
                f"the base's initial size of {name} is not known: give make_plan std=…, or a base "
                "that is not on the meta device, to be measured"
            )
        if parameter.is_meta:
            raise ValueError(
                f"{name} is on the meta device and has no values: model.to_empty(device=…) first"
            )
        known.append((name, parameter, start.size, start.constant))
    return known
