"""What each block contributes to the residual stream, and how the contributions of all add up.

Independent contributions of L blocks add like √L, aligned ones like L. The condition on the start
counts on the former, the one on updates on the latter (zheng2026, §3).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

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


def agreement(model: ResNet, x: Tensor, y: Tensor) -> Tensor:
    """Cosine between what a block's first map writes and what its second wants to read.

    The one is W⁽¹⁾h, the other W⁽²⁾ᵀδ, with δ the gradient of a sample's loss with respect to the
    block's output; (L, R?, batch).

    Args:
        model: Two maps a branch, linear.
        x: Samples, (R?, batch, d).
        y: Their classes, (R?, batch).
    """
    pairs = _written_and_wanted(model, x, y)
    return torch.stack([F.cosine_similarity(*pair, dim=-1) for pair in pairs])


def agreement_of_samples(model: ResNet, x: Tensor, y: Tensor) -> Tensor:
    """The same cosines, of what is written for one sample and wanted for another.

    Samples that write are rows, those that want are columns: (L, R?, batch, batch), of which
    :func:`agreement` is the diagonal.

    Args:
        model: As for :func:`agreement`.
        x: Likewise.
        y: Likewise.
    """
    pairs = _written_and_wanted(model, x, y)
    return torch.stack(
        [F.normalize(ours, dim=-1) @ F.normalize(theirs, dim=-1).mT for ours, theirs in pairs]
    )


def _written_and_wanted(model: ResNet, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """W⁽¹⁾h and W⁽²⁾ᵀδ of each block, each (R?, batch, n)."""
    stream = [model.features(x)[0].detach().requires_grad_()]
    for added in model.additions():
        stream.append(stream[-1] + added(stream[-1]))
    logits = model.multipliers["output"] * (stream[-1] @ model.output.mT)
    loss = F.cross_entropy(logits.flatten(0, -2), y.flatten(), reduction="sum")
    gradients = torch.autograd.grad(loss, stream[1:])  # δ of each block
    blocks = zip(stream, gradients, model.blocks(), strict=False)
    with torch.no_grad():
        return [(h @ w1.mT, g @ w2) for h, g, ((w1, w2), _) in blocks]


def addition(contributions: Tensor) -> Tensor:
    """The p of ‖Σ_l v_l‖ = L^p·mean_l‖v_l‖, a batch taken as one long vector; (R,).

    0 where there is nothing to add up.

    Args:
        contributions: (L, R, batch, n).
    """
    nothing = (contributions == 0).flatten(2).all(-1).all(0)
    return addition_exponent(contributions.flatten(-2)).masked_fill(nothing, 0.0)
