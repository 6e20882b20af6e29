"""Update laws of what the package runs, where that differs from a law's convention."""

from __future__ import annotations

from dataclasses import replace

from specmup.theory.layer import HALF, Layer, MatrixSize
from specmup.theory.order import S
from specmup.theory.update import UpdateLaw


def law_as_run(law: UpdateLaw, *, transposed: bool = False) -> UpdateLaw:
    """The law of the steps that the package's optimizer makes.

    SSO is run on the sphere through the weight's own start, so its radius follows the weight in any
    gauge. LAMB's clamp is taken to be reached. Muon's original factor is of the shape as stored.

    Args:
        law: In its conventional form.
        transposed: Whether the weight is stored as (n_in, n_out).
    """
    if law.name == "sso":
        return replace(law, step=_to_own_norm)
    if law.name == "lamb-clamped":
        return replace(law, step=_normalised_sign)
    if law.name == "muon-original" and transposed:
        return replace(law, step=_stored_transposed)
    return law


def _to_own_norm(layer: Layer[S]) -> MatrixSize[S]:
    """UVᵀ scaled to the weight's own RMS operator norm."""
    direction = layer.gradient.orthogonalised()
    return direction.scaled(layer.weight_norm / direction.rms_operator)


def _normalised_sign(layer: Layer[S]) -> MatrixSize[S]:
    return layer.gradient.sign().normalised()


def _stored_transposed(layer: Layer[S]) -> MatrixSize[S]:
    factor = (layer.larger_fan / layer.fan_out) ** HALF
    return layer.gradient.orthogonalised().scaled(factor)
