"""What each block contributes to the residual stream, and how the contributions of all add up.

Independent contributions of L blocks add like √L, aligned ones like L. The condition on the start
counts on the former, the one on updates on the latter (zheng2026, §3).
"""

from __future__ import annotations

import torch
from torch import Tensor

from experiments.instruments.alignment import addition_exponent
from experiments.instruments.expansion import Snapshot
from specmup.models.resnet import ResNet


@torch.no_grad()
def branch_outputs(model: ResNet, x: Tensor) -> Tensor:
    """What each block adds to the stream, (L, R?, batch, n)."""
    stream = model.features(x)
    alpha = model.multipliers["hidden"]
    blocks = zip(stream, model.blocks(), strict=False)  # h_L enters no block
    return alpha * torch.stack([model.branch(h, *block) for h, block in blocks])


@torch.no_grad()
def branch_updates(model: ResNet, before: Snapshot) -> Tensor:
    """What each block's own update adds, the features that enter it held; (L, R?, batch, n).

    These are ε₁ and higher orders of :mod:`experiments.instruments.expansion`, without what earlier
    blocks pass on.
    """
    alpha = model.multipliers["hidden"]
    old_and_new = zip(before.features, before.blocks, model.blocks(), strict=False)
    return alpha * torch.stack(
        [model.branch(h, *new) - model.branch(h, *old) for h, old, new in old_and_new]
    )


def addition(contributions: Tensor) -> Tensor:
    """The p of ‖Σ_l v_l‖ = L^p·mean_l‖v_l‖, a batch taken as one long vector; (R,).

    0 where there is nothing to add up.

    Args:
        contributions: (L, R, batch, n).
    """
    nothing = (contributions == 0).flatten(2).all(-1).all(0)
    return addition_exponent(contributions.flatten(-2)).masked_fill(nothing, 0.0)
