"""How well vectors and updates line up: with a matrix, and with one another."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.linalg import vector_norm

from specmup.norms import MAX_ITERATIONS, TOLERANCE, as_float, rms_norm, rms_operator_norm


@torch.no_grad()
def alignment(
    W: Tensor, x: Tensor, *, tol: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS
) -> Tensor:
    """‖Wx‖_R / (‖W‖_R‖x‖_R): the share of W's reach that x gets, from 0 to 1.

    1 means that x is a top right-singular vector, as the feature that made a one-sample gradient
    is for that gradient (zheng2026, Claim F.2); a Gaussian W (n_out, n_in) gives about
    √n_out/(√n_out + √n_in) for any x that it does not depend on (Claim F.1).

    W (..., n_out, n_in) acts as in the forward pass, ``x @ W.mT``: x is (n_in,), or
    (..., batch, n_in) with one result a row. NaN where W or x is zero. As ‖W‖_R may be low by
    ``tol``, the result may be high by as much. No gradient.

    Raises:
        ValueError: x does not have n_in entries; further as
            :func:`specmup.norms.spectral_norm`.
    """
    W, x = as_float(W, "W"), as_float(x, "x")
    norm = rms_operator_norm(W, tol=tol, max_iterations=max_iterations)
    if x.ndim == 0 or x.shape[-1] != W.shape[-1]:
        raise ValueError(f"x has shape {tuple(x.shape)}: W needs (..., n_in = {W.shape[-1]})")
    if x.ndim > 1:
        norm = norm.unsqueeze(-1)
    return rms_norm(x @ W.mT) / (norm * rms_norm(x))


def update_alignment(contributions: Tensor) -> Tensor:
    """‖Σ_l v_l‖ / Σ_l ‖v_l‖ of L vectors, contributions (L, ..., n); shape (...).

    The contributions are vectors in one space, such as what each of L blocks adds to the last
    feature, or what each block's update changes there. 1 when all point the same way, about
    1/√L when they are independent and equally long, 0 when they cancel; NaN when all are zero.

    Raises:
        TypeError: contributions are not of a real floating dtype.
        ValueError: contributions are not of shape (L, ..., n), or empty.
    """
    v = as_float(contributions, "contributions")
    if v.ndim < 2 or v.numel() == 0:
        raise ValueError(f"contributions have shape {tuple(v.shape)}: need non-empty (L, ..., n)")
    return vector_norm(v.sum(dim=0), dim=-1) / vector_norm(v, dim=-1).sum(dim=0)


def addition_exponent(contributions: Tensor) -> Tensor:
    """The p in ‖Σ_l v_l‖ = L^p · mean_l ‖v_l‖, contributions (L, ..., n); shape (...).

    p = 1 + log_L of :func:`update_alignment`: 1 when L aligned contributions add up like L, about
    1/2 when independent ones of equal length add up like √L, -∞ when they cancel.

    Raises:
        ValueError: there are fewer than two contributions; as :func:`update_alignment`.
    """
    if contributions.ndim > 0 and contributions.shape[0] < 2:
        raise ValueError(f"L = {contributions.shape[0]} contributions: need at least 2 to add up")
    return 1 + update_alignment(contributions).log() / math.log(contributions.shape[0])
