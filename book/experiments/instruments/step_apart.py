"""One step of any model taken apart: how far each part of the parameters moves the features alone.

As :mod:`experiments.instruments.updates` does for residual networks, for parameters of any names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specmup.norms import rms_norm
from specmup.optimizers.muon import orthogonalised

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315), 5, 1e-7  # as Muon takes it
Moves = Mapping[str, Callable[[Tensor], Tensor]]


def direction(law: str, gradient: Tensor, *, rows: bool = False) -> Tensor:
    """A in ΔW = −ηA for the first step of an optimizer, which knows one gradient alone.

    Args:
        law: ``sgd``, ``adamw`` (the sign) or ``muon`` (each matrix orthogonalised).
        gradient: (..., n_out, n_in).
        rows: Take each row as a matrix of its own, as a router's are.

    Raises:
        ValueError: If the law is another.
    """
    if law == "sgd":
        return gradient
    if law == "adamw":
        return gradient.sign()
    if law == "muon" and rows:
        return F.normalize(gradient, dim=-1)
    if law == "muon":
        matrices = gradient.reshape(-1, *gradient.shape[-2:])
        return orthogonalised(matrices, *NEWTON_SCHULZ).to(gradient).reshape(gradient.shape)
    raise ValueError(f"no direction for {law!r}: choose one of sgd, adamw, muon")


def step_apart(
    model: nn.Module,
    features: Callable[[], Tensor],
    loss: Callable[[], Tensor],
    moves: Moves,
    parts: Mapping[str, Sequence[str]],
) -> dict[str, float]:
    """Take one step, and say how far it moves the features by each part of the parameters alone.

    Args:
        model: Changed in place.
        features: Gives the features on a fixed batch.
        loss: Gives what is minimised.
        moves: By name of a parameter, what is subtracted from it for its gradient.
        parts: Names of the parameters of each part.

    Returns:
        By part, the RMS change of the features.
    """
    named = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss(), [named[name] for name in moves])
    with torch.no_grad():
        old = features()
        moved = {
            name: named[name] - move(gradient)
            for (name, move), gradient in zip(moves.items(), gradients, strict=True)
        }
        changes = {}
        for part, names in parts.items():
            kept = {name: named[name].clone() for name in names}
            _put(named, {name: moved[name] for name in names})
            changes[part] = float(rms_norm(features() - old, dim=tuple(range(old.ndim))))
            _put(named, kept)
        _put(named, moved)
    return changes


def _put(named: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    for name, value in values.items():
        named[name].copy_(value)
