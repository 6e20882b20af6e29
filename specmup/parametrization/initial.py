"""A model's start under a plan: drawn anew, or the model's own start rescaled."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specmup.inspection.multipliers import offered_multipliers
from specmup.streams import stream


@dataclass(frozen=True)
class Start:
    """How a parameter starts.

    Args:
        size: Standard deviation of a draw; a constant, with the offset; root mean square of what is
            kept. None if unknown.
        kind: ``drawn``, ``constant`` or ``kept``.
        offset: What the forward pass adds to the parameter.
        zero_rows: Rows that stay zero.
        scaled: Whether the plan changes its size; what is kept and not scaled is let alone.
    """

    size: float | None
    kind: str
    offset: float = 0.0
    zero_rows: tuple[int, ...] = ()
    scaled: bool = True

    @property
    def untouched(self) -> bool:
        """Whether it stays as the model makes it."""
        return self.kind == "kept" and not self.scaled


Starts = Sequence[tuple[str, nn.Parameter, Start]]


@torch.no_grad()
def redraw(parameters: Starts, seed: int) -> None:
    """Draw what is drawn from N(0, size²), one after the other; set constants, keep structure.

    The draw is made on the CPU in float32, so it does not depend on device or precision.

    Raises:
        ValueError: If a size is unknown or a parameter is on the meta device.
    """
    generator = stream("weights", seed)
    for name, parameter, start, size in _known(parameters):
        if start.kind == "kept":
            _rescale(name, parameter, start, size)
        elif start.kind == "constant" or size == 0:
            parameter.fill_(size - start.offset)
        else:
            drawn = torch.randn(parameter.shape, generator=generator) * size
            for row in start.zero_rows:
                drawn[row] = 0
            parameter.copy_(_sharded_as(parameter, drawn))


def _sharded_as(parameter: nn.Parameter, drawn: Tensor) -> Tensor:
    """The draw, which every process has made whole, cut as the parameter is."""
    if not isinstance(getattr(parameter, "placements", None), tuple):
        return drawn
    from torch.distributed.tensor import distribute_tensor  # slow to import, and rarely needed

    mesh = parameter.device_mesh  # type: ignore[attr-defined]  # of a DTensor
    return distribute_tensor(drawn.to(mesh.device_type), mesh, parameter.placements)  # type: ignore[attr-defined]


@torch.no_grad()
def rescale(parameters: Starts) -> None:
    """Multiply each parameter until its root mean square is the start's size.

    Whatever is drawn stays of its kind: a uniform stays uniform. A second call changes nothing.

    Raises:
        ValueError: If a size is unknown, a parameter is on the meta device, or one that is zero
            should not be.
    """
    for name, parameter, start, size in _known(parameters):
        _rescale(name, parameter, start, size)


def _rescale(name: str, parameter: nn.Parameter, start: Start, size: float) -> None:
    if start.untouched:
        return
    own = root_mean_square(parameter + start.offset, without=start.zero_rows)
    if math.isclose(own, abs(size), rel_tol=torch.finfo(parameter.dtype).eps):
        return
    if own == 0:
        raise ValueError(
            f"{name} is zero and should start at {size:g}, to which nothing scales it: "
            "initialise the model first, or give plan.initialise a seed to draw with"
        )
    parameter.add_(start.offset).mul_(abs(size) / own).sub_(start.offset)


def root_mean_square(tensor: Tensor, *, without: Sequence[int] = ()) -> float:
    """√ of the mean square of all entries, in double precision, but for those of some rows."""
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # if it is sharded
    values = whole.detach().double()
    if without:
        values = values[[row for row in range(len(values)) if row not in without]]
    return values.square().mean().sqrt().item()


def set_multipliers(model: nn.Module, values: Mapping[str, float]) -> None:
    """Write multipliers into a model that offers them.

    Raises:
        ValueError: If there are some to write and the model offers none.
    """
    if values:
        _offered(model).update(values)


def check_multipliers(model: nn.Module, values: Mapping[str, float]) -> None:
    """Hold a model that is about to be trained against the plan's multipliers.

    Raises:
        ValueError: If it offers none, or others, as one that was made or loaded anew.
    """
    held = _offered(model) if values else {}
    other = [
        f"{role} is {held[role]:.4g}, in the plan {value:.4g}"
        for role, value in values.items()
        if not math.isclose(held[role], value, rel_tol=1e-5)
    ]
    if other:
        raise ValueError(
            f"the multipliers of the forward pass are not the plan's ({'; '.join(other)}): they "
            "are no weights, so a model that is made or loaded anew has its own; "
            "plan.initialise(model) sets them before training, plan.set_constants(model) where the "
            "weights shall stay as they are"
        )


def _offered(model: nn.Module) -> MutableMapping[str, float]:
    offered = next((o for m in model.modules() if (o := offered_multipliers(m)) is not None), None)
    if offered is None:
        raise ValueError(
            "the plan has multipliers for the forward pass and the model takes none: give it a "
            "dictionary `multipliers`, or make the plan with gauge='folded'"
        )
    return offered


def _known(parameters: Starts) -> list[tuple[str, nn.Parameter, Start, float]]:
    """Name, parameter, start and size, if all are there to be set."""
    known = []
    for name, parameter, start in parameters:
        if start.size is None:
            raise ValueError(
                f"the base's initial size of {name} is not known: give make_plan std=…, with a key "
                "for its role or '*' if it is a mapping, or a base with memory, to be measured"
            )
        if parameter.is_meta:
            raise ValueError(
                f"{name} is on the meta device and has no values: model.to_empty(device=…) first"
            )
        known.append((name, parameter, start, start.size))
    return known
