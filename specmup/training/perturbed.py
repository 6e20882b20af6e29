"""Random starts moved by a millionth: what training then does otherwise, it leaves to rounding."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike

SIZE = 1e-6  # as large as a few roundings in float32
FLOOR = 1e-4  # part of a result: rounding is taken to move it by this much at least
SEEDS = ("1", "2")  # of two moved starts, where one is asked what hangs on rounding
HANGS = 0.1  # part of a gap: what a perturbation moves by so much hangs on rounding
IN_PLACE = ("normal_", "uniform_")


def perturb(seed: str) -> Callable[[], None]:
    """Multiply all Gaussian and uniform draws of torch by 1 + 10⁻⁶·ξ from now on.

    ξ is Gaussian and follows from the seed and from what was drawn, up to its scale: where a
    chapter draws the same start twice, or in two gauges, it is perturbed alike.

    Args:
        seed: Any text.

    Returns:
        What undoes it.
    """
    own, own_in_place = torch.randn, {name: getattr(torch.Tensor, name) for name in IN_PLACE}

    def moved(drawn: torch.Tensor) -> torch.Tensor:
        if drawn.is_meta:  # an outline without numbers
            return drawn
        first = drawn.flatten()[:64]
        rises = "".join("1" if up else "0" for up in first[1:] > first[:-1])
        told = f"{seed} {tuple(drawn.shape)} {rises}".encode()
        noise = torch.Generator().manual_seed(zlib.crc32(told))
        xi = own(drawn.shape, generator=noise, dtype=torch.float64, device="cpu")
        return drawn * (1 + SIZE * xi).to(drawn.device, drawn.dtype)

    def in_place(draw: Callable) -> Callable:
        return lambda tensor, *a, **k: tensor.copy_(moved(draw(tensor, *a, **k)))

    def undo() -> None:
        torch.randn = own
        for name, draw in own_in_place.items():
            setattr(torch.Tensor, name, draw)

    torch.randn = lambda *a, **k: moved(own(*a, **k))
    for name, draw in own_in_place.items():
        setattr(torch.Tensor, name, in_place(draw))
    return undo


@contextmanager
def perturbed(seed: str) -> Iterator[None]:
    """Within, perturb all draws as :func:`perturb` does."""
    undo = perturb(seed)
    try:
        yield
    finally:
        undo()


def gap(one: ArrayLike, other: ArrayLike) -> np.ndarray:
    """How far apart values are: not at all where both diverged, infinitely where one did."""
    x, y = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    both = ~np.isfinite(x) & ~np.isfinite(y)
    return np.where(both, 0.0, np.abs(np.where(both, 0.0, x) - np.where(both, 0.0, y)))
