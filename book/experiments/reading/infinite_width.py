"""One SGD step of an infinitely wide linear network with one map a branch, exactly.

    h_l = h_{l-1} + α W_l h_{l-1},   f = v·h_L / n,   W_l entries N(0, c/n),   v entries N(0, 1)

Take one step of gradient descent on −f at one sample, with the rate η, on the hidden maps alone.
With δ_l = n·∂f/∂h_l it moves W_l by η α δ_l h_{l-1}ᵀ / n, and the features by

    Δh_l = (1 + α W_l) Δh_{l-1} + τ δ_l,    τ = η α² ⟨h_{l-1}, h_{l-1}⟩ / n .

(The bracket should hold one feature from after the step. As n → ∞ their change is orthogonal to
them, because f starts at zero.) As δ_{l-1} = (1 + α W_l)ᵀ δ_l, the solution is Δh_l = M_l δ_l with

    M_l = (1 + α W_l) M_{l-1} (1 + α W_l)ᵀ + τ .

M_l holds the maps up to l and δ_l those after it, so they are independent, and all that a wide
network needs of M_l are the normalised traces of M_l and of M_l².
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WideStep:
    """What one step does to an infinitely wide network.

    Attributes:
        size: Mean square of the features h_0 … h_L before the step.
        change: Mean square of their change, Δh_0 … Δh_L.
        output: The output f after the step; it was 0 before.
    """

    size: tuple[float, ...]
    change: tuple[float, ...]
    output: float


def first_step(
    depth: int,
    *,
    multiplier: float,
    learning_rate: float = 1.0,
    variance: float = 1.0,
    first: float = 1.0,
) -> WideStep:
    """Second moments of the features and of their change in the first step.

    Args:
        depth: Number L of blocks.
        multiplier: α.
        learning_rate: η.
        variance: c, where the maps' entries have variance c/n.
        first: Mean square of h_0, which does not change.

    Raises:
        ValueError: If there is no block.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}: give at least one block")
    growth = 1 + variance * multiplier**2  # of every mean square in a block, and of the trace of M
    size = [first * growth**block for block in range(depth + 1)]
    gradient = [growth ** (depth - block) for block in range(depth + 1)]  # mean square of δ_l
    trace, square = 0.0, 0.0  # tr M / n and tr M² / n
    change = [0.0]
    for block in range(1, depth + 1):
        push = learning_rate * multiplier**2 * size[block - 1]
        # tr (W M Wᵀ)² / n → c² (tr M²/n + (tr M/n)²), and W M Wᵀ → c tr M/n where it stands alone.
        square = (
            growth**2 * square + (growth**2 - 1) * trace**2 + 2 * push * growth * trace + push**2
        )
        trace = growth * trace + push
        change.append(square * gradient[block])
    return WideStep(tuple(size), tuple(change), trace)
