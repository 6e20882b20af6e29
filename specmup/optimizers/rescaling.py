"""Setting the norm of steps that have been made."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from specmup.norms import rms_norm
from specmup.optimizers.power_iteration import leading


@torch.no_grad()
def set_step_(
    after: Tensor,
    before: Tensor,
    norms: Tensor,
    *,
    keeps: Tensor | None = None,
    start: Tensor | None = None,
    tol: float = 0.02,
) -> Tensor | None:
    """Rescale steps in place: after ← keep·before + norm·(after − before)/‖after − before‖_R.

    Args:
        after: Matrices after the optimizer's step (B, n_out, n_in), or vectors (B, n).
        before: The same before it; overwritten.
        norms: ‖ΔW‖_R that each step must have, (B,). A step of zero stays zero.
        keeps: What decay leaves of each matrix, (B,); None for everything.
        start: Vectors from the last call for these matrices.
        tol: Tolerance of the measured norms.

    Returns:
        The vectors for the next call; None where none are needed.
    """
    step = after.sub_(before)
    if step.ndim == 2:
        measured, vectors = rms_norm(step), None
    else:
        exact = step if step.dtype in (torch.float32, torch.float64) else step.float()
        norm, vectors, _ = leading(exact, start, tol=tol)
        n_out, n_in = step.shape[-2:]
        measured = norm * math.sqrt(n_in / n_out)
    factor = (norms.to(measured) / measured).masked_fill(measured == 0, 0)
    if keeps is not None and (keeps != 1).any():
        before.mul_(_column(keeps, step))
    torch.addcmul(before, step, _column(factor, step), out=after)
    return vectors


def _column(values: Tensor, stack: Tensor) -> Tensor:
    """Values (B,) in a shape that multiplies each of a stack."""
    return values.to(stack).view(-1, *[1] * (stack.ndim - 1))
