"""The Spectral Sphere Optimizer (xie2026): steepest descent along ‖W‖₂ = R.

One step on a matrix W with gradient G:

    M ← β·M + (1 − β)·G
    W ← R·W/‖W‖₂                                       (retraction)
    Φ = msign(M/‖M‖_F + λ·Θ)  with  ⟨Θ, Φ⟩ = 0         (tangent to the sphere)
    W ← W − η·R·Φ

Θ = u₁v₁ᵀ belongs to the largest singular value of W. It is the derivative of ‖W‖₂, so a step along
Φ leaves ‖W‖₂ as it is to first order. msign(UΣVᵀ) = UVᵀ. Of all Φ with ‖Φ‖₂ ≤ 1 and ⟨Θ, Φ⟩ = 0,
this is the one with the largest ⟨M, Φ⟩: λ is the multiplier of the side condition.

``pytorch_optimizer.SpectralSphere`` neither retracts nor knows R. Its search for λ gives up beyond
|λ| = 1, taking 0, and runs in bfloat16: so it is written anew here, but for Newton–Schulz.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pytorch_optimizer.optimizer.utils.matrix import zero_power_via_newton_schulz_5
from torch import Tensor
from torch.optim import Optimizer

from specmup.optimizers.adapters import finite_only
from specmup.optimizers.power_iteration import top_singular
from specmup.optimizers.steps import by_kind, stackable, with_gradients

SIGN_STEPS = 6


def msign(M: Tensor) -> Tensor:
    """UVᵀ of each M = UΣVᵀ, shaped (..., n_out, n_in); singular values of zero stay zero.

    Six Newton–Schulz steps in M's own precision with the coefficients of Polar Express: singular
    values above 0.0015·‖M‖_F become 1 up to 0.2 %; more steps would blow rounding up to that size.
    """
    floor = torch.finfo(M.dtype).tiny
    return zero_power_via_newton_schulz_5(
        M, SIGN_STEPS, eps=floor, weights="polar_express", dtype=M.dtype
    )


def tangent_sign(M: Tensor, Theta: Tensor, *, tolerance: float, most: int = 40) -> Tensor:
    """Φ = msign(M + λΘ) with ⟨Θ, Φ⟩ = 0, of each matrix; shaped (B, n_out, n_in) as M and Θ.

    f(λ) = ⟨Θ, msign(M + λΘ)⟩ is the derivative of the convex g(λ) = ‖M + λΘ‖_*, hence increasing.
    As λ·f(λ) ≥ g(λ) − g(0) ≥ |λ| − 2‖M‖_*, its root lies between −2‖M‖_* and 2‖M‖_*. That bracket
    shrinks by secants, where an end that stays put counts half (the Illinois rule): bisection that
    uses the values of f, in half its evaluations.

    Args:
        M: Directions, of any size; for M = 0 the answer is 0.
        Theta: Matrices u₁v₁ᵀ.
        tolerance: A matrix is done when its |⟨Θ, Φ⟩| is no larger.
        most: Most evaluations of f.
    """
    norm = M.norm(dim=(-2, -1), keepdim=True)
    M = M / norm.clamp(min=torch.finfo(M.dtype).tiny)
    high = torch.full_like(norm, 2 * min(M.shape[-2:]) ** 0.5)  # ‖M‖_* ≤ √rank·‖M‖_F
    low, at_high, at_low = -high, torch.ones_like(norm), -torch.ones_like(norm)
    guess, last = torch.zeros_like(norm), torch.zeros_like(norm)  # last: the sign of f before
    done, answer = torch.zeros_like(norm, dtype=torch.bool), M
    for _ in range(most):
        Phi = msign(M + guess * Theta)
        f = (Theta * Phi).sum(dim=(-2, -1), keepdim=True)
        # A matrix that is done stays as it is, so that none depends on its company.
        answer = torch.where(done, answer, Phi)
        done = done | ~(f.abs() > tolerance)
        if done.all():
            break
        below = f < 0
        at_low = torch.where(below, f, torch.where(last > 0, at_low / 2, at_low))
        at_high = torch.where(below, torch.where(last < 0, at_high / 2, at_high), f)
        low, high = torch.where(below, guess, low), torch.where(below, high, guess)
        guess = low - at_low * (high - low) / (at_high - at_low)
        last = f.sign()
    return answer


class SSO(Optimizer):
    """Steps of the spectral sphere, on matrices only.

    Args:
        params: Groups; each may hold ``lr``, ``weight_decay``, ``momentum`` and ``radius``.
        lr: η, relative to R.
        momentum: β.
        weight_decay: Decoupled, with the step. The next retraction takes its effect on ‖W‖₂ back.
        radius: R, a spectral norm; None for that of the weight when it is first trained.
        tolerance: Of the tangent condition |⟨Θ, Φ⟩| = 0.
        iterations: Power iterations a step for u₁ and v₁, from those of the step before.

    Raises:
        ValueError: If ``momentum`` is not in [0, 1) or a number is not positive; at a step if
            a weight without a ``radius`` is zero.
    """

    def __init__(
        self,
        params: list[dict],
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        radius: float | None = None,
        tolerance: float = 1e-3,
        iterations: int = 10,
    ) -> None:
        """Check the numbers."""
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum is {momentum}: it must be in [0, 1)")
        for name, value in (("radius", radius), ("tolerance", tolerance), ("lr", lr)):
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is {value}: it must not be negative")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "radius": radius,
            "tolerance": tolerance,
            "iterations": iterations,
        }
        super().__init__(params, defaults)

    @finite_only
    @torch.no_grad()
    def step(self) -> None:
        """One step of all matrices, those of a shape at once."""
        for group in self.param_groups:
            for alike in by_kind(with_gradients(group["params"]), lambda pair: stackable(pair[0])):
                self._step(alike, group)

    def _step(self, alike: Sequence[tuple[Tensor, Tensor]], group: dict) -> None:
        """One step of matrices of one shape and their gradients, (B, n_out, n_in) when stacked."""
        states = [self._state(p, group) for p, _ in alike]
        W, G = (torch.stack(each) for each in zip(*alike, strict=True))
        M, v, R = (torch.stack([s[key] for s in states]) for key in ("momentum", "v", "radius"))
        M = M.lerp(G, 1 - group["momentum"])
        norm, u, v = top_singular(W, v, group["iterations"])
        W = W * (R / norm)
        Phi = tangent_sign(M, u @ v.mT, tolerance=group["tolerance"])
        W = W - group["lr"] * (group["weight_decay"] * W + R * Phi)
        for i, ((p, _), state) in enumerate(zip(alike, states, strict=True)):
            p.copy_(W[i])
            state["momentum"], state["v"] = M[i], v[i]

    def _state(self, p: Tensor, group: dict) -> dict:
        """Momentum, v₁ and R of a matrix, made when it is first trained."""
        state = self.state[p]
        if not state:
            _, norms, right = torch.linalg.svd(p, full_matrices=False)
            radius = norms[0] if group["radius"] is None else norms.new_tensor(group["radius"])
            if not norms[0] > 0:
                raise ValueError(
                    f"a weight of shape {tuple(p.shape)} is zero: it is on no spectral sphere; "
                    "initialise it before the first step"
                )
            state["momentum"] = torch.zeros_like(p)
            state["v"] = right[0].unsqueeze(-1).clone()  # (n_in, 1)
            state["radius"] = radius.reshape(1, 1).clone()
        return state
