"""Muon with matrices of one shape orthogonalised together.

``torch.optim.Muon`` takes one matrix after the other. For many small ones, as stacked replicas and
deep networks have them, nearly all the time then goes into calls: ``python -m benchmarks muon``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from specmup.optimizers.steps import Closure, by_kind, evaluated, stackable, with_gradients

# The step's factor for a matrix (n_out, n_in), by the library's name for it.
SHAPE_FACTORS: dict[str, Callable[[int, int], float]] = {
    "original": lambda n_out, n_in: math.sqrt(max(1, n_out / n_in)),
    "match_rms_adamw": lambda n_out, n_in: 0.2 * math.sqrt(max(n_out, n_in)),
    "none": lambda n_out, n_in: 1.0,
}
STACKED = 2**22  # entries of matrices that are taken together; larger matrices come one by one


class Muon(torch.optim.Muon):
    """The library's: the same options, state and updates, but for the last digit of bfloat16.

    Sharded parameters are left to the library's own step. What the library sees only once it
    steps, or never, is refused at once.
    """

    def add_param_group(self, param_group: dict) -> None:
        """Add a group whose average is one, and whose iteration is made and ends.

        Raises:
            ValueError: If the momentum is not below 1, or the steps are not from 1 to 99.
        """
        super().add_param_group(param_group)
        momentum, steps = (self.param_groups[-1][key] for key in ("momentum", "ns_steps"))
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum is {momentum}: it must be in [0, 1)")
        if not (isinstance(steps, int) and 0 < steps < 100):
            raise ValueError(f"ns_steps is {steps}: it must be one of 1 to 99")

    @torch.no_grad()
    def step(self, closure: Closure = None) -> float | None:  # type: ignore[override]  # see Closure
        """One step; the loss that the closure gives, if there is one."""
        if any(hasattr(p, "placements") for group in self.param_groups for p in group["params"]):
            return super().step(closure)
        loss = evaluated(closure)
        for group in self.param_groups:
            for alike in by_kind(with_gradients(group["params"]), lambda pair: stackable(pair[0])):
                length = max(1, STACKED // alike[0][0].numel())
                for i in range(0, len(alike), length):
                    self._move(alike[i : i + length], group)
        return loss

    def _move(self, alike: Sequence[tuple[Tensor, Tensor]], group: Mapping) -> None:
        """Update matrices of one shape (n_out, n_in), each given with its gradient."""
        rate, momentum = float(group["lr"]), group["momentum"]
        matrices = [matrix for matrix, _ in alike]
        gradients = [gradient for _, gradient in alike]
        averages = [self._average(*pair) for pair in alike]
        torch._foreach_lerp_(averages, gradients, 1 - momentum)
        ahead = (
            torch._foreach_lerp(gradients, averages, momentum) if group["nesterov"] else averages
        )
        steps = orthogonalised(
            torch.stack(ahead), group["ns_coefficients"], group["ns_steps"], group["eps"]
        ).to(matrices[0].dtype)
        factor = SHAPE_FACTORS[group["adjust_lr_fn"] or "original"](*matrices[0].shape)
        torch._foreach_mul_(matrices, 1 - rate * group["weight_decay"])
        torch._foreach_add_(matrices, steps.unbind(), alpha=-rate * factor)

    def _average(self, matrix: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        return state["momentum_buffer"]


class UnscaledMuon(Muon):
    """Muon without a factor of the shape: the library always applies one of its two."""

    def add_param_group(self, param_group: dict) -> None:
        """Name no factor; the library's constructor refuses to, its step does not."""
        super().add_param_group(param_group | {"adjust_lr_fn": "none"})


def orthogonalised(
    matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Newton–Schulz towards UVᵀ of each matrix USVᵀ, in bfloat16 as the library does it.

    Args:
        matrices: (..., n_out, n_in).
        coefficients: Of the quintic: X ← aX + (bA + cA²)X with A = XXᵀ.
        steps: How many times.
        eps: Least Frobenius norm that is divided by.

    Returns:
        The same shape, in bfloat16.
    """
    a, b, c = coefficients
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).bfloat16()  # (..., m, p), m ≤ p
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    kind = product_type(x.device)
    for _ in range(steps):
        x = x.to(kind)
        gram = (x @ x.mT).bfloat16().to(kind)  # (..., m, m)
        quintic = torch.baddbmm(gram, gram, gram, beta=b, alpha=c).bfloat16().to(kind)
        x = torch.baddbmm(x, quintic, x, beta=a).bfloat16()
    return x.mT if tall else x


def product_type(device: torch.device) -> torch.dtype:
    """The type in which matrices of bfloat16 are multiplied, each product then rounded to it.

    On a processor float32, so that all processors take the same sums: products of two bfloat16 are
    exact in it, and only the order of the sums is left open. Those without AVX-512 would also take
    twenty times longer with bfloat16.
    """
    return torch.float32 if device.type == "cpu" else torch.bfloat16
