"""How large one step of an optimizer is, as an order, read off its update rule.

One step is ΔW = −η(A + λW). Everything that a scaling rule needs of an optimizer is the order of
‖A‖_R. It follows from two facts about the gradient: how much the loss can change per unit of
‖ΔW‖_R, and that the gradient of a small batch has rank Θ(1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from specmup.theory.layer import HALF, Layer, MatrixSize
from specmup.theory.order import Exponent, Number, Order, S, maximum, minimum


class Step(Protocol):
    """Size of a step for a layer."""

    def __call__(self, layer: Layer[S], /) -> MatrixSize[S]:
        """Of orders for orders, of numbers for numbers."""


class Epsilon(Protocol):
    """Size of what ε is added to, for a layer."""

    def __call__(self, layer: Layer[S], /) -> S:
        """An order for orders, a number for numbers."""


@dataclass(frozen=True)
class UpdateLaw:
    """An optimizer, as far as scaling is concerned.

    Args:
        name: The name by which users ask for it.
        title: The name in prose.
        step: S of A for a layer.
        epsilon: S of what the stabiliser ε is added to; None where there is no such ε.
        matrices_only: Whether it is made for hidden matrices, with another optimizer on the rest.
        idle_steps: How many steps at the start only fill statistics and move nothing.
    """

    name: str
    title: str
    step: Step
    epsilon: Epsilon | None = None
    matrices_only: bool = False
    idle_steps: int = 0


def sgd() -> UpdateLaw:
    """A = G."""
    return UpdateLaw("sgd", "SGD", lambda layer: layer.gradient)


def adamw() -> UpdateLaw:
    """A = m/(√v + ε), near sign(G); ε stands beside √v, which is as large as an entry of G."""
    return UpdateLaw("adamw", "AdamW", _sign, _gradient_entry)


def lion() -> UpdateLaw:
    """A = sign of a momentum; nothing to stabilise."""
    return UpdateLaw("lion", "Lion", _sign)


def sophia() -> UpdateLaw:
    """A = clip(m/max(h, ε), ±1) with h an estimate of the Hessian's diagonal.

    An entry of h is of the size of a squared entry of G (Gauss–Newton), so m/h is of the size of
    the inverse of an entry. That grows with the width, every entry is clipped, and A = sign(m). The
    stabiliser stands where h does.
    """
    return UpdateLaw("sophia", "Sophia", _sign, lambda layer: layer.gradient.entry**2)


def adopt() -> UpdateLaw:
    """A = average of G/max(√v, ε), with v from the steps before: as AdamW."""
    return UpdateLaw("adopt", "ADOPT", _sign, _gradient_entry, idle_steps=1)


def lamb(*, clamped: bool = False) -> UpdateLaw:
    """A = (‖W‖_F/‖M‖_F)·M with M = m/(√v + ε), near sign(G).

    Args:
        clamped: Whether ‖W‖_F is cut off at a constant, as libraries do: then A = M/‖M‖_F once
            the matrix is large.
    """

    def step(layer: Layer[S]) -> MatrixSize[S]:
        trust, bound = layer.weight_frobenius, layer.fan_in**0
        if clamped:
            trust = minimum(trust, bound)
        return layer.gradient.sign().normalised().scaled(trust)

    if clamped:
        return UpdateLaw("lamb-clamped", "LAMB with a clamp", step, _gradient_entry)
    return UpdateLaw("lamb", "LAMB", step, _gradient_entry)


def muon(*, scale: str | None = None) -> UpdateLaw:
    """A = UVᵀ for the momentum UΣVᵀ, times a factor of the matrix's shape.

    Args:
        scale: None for no factor; ``"original"`` for √max(1, n_out/n_in), as Muon came; ``"kimi"``
            for √max(n_in, n_out), which matches AdamW's RMS (liu2025).
    """
    factors = {
        None: lambda layer: layer.fan_in**0,
        "original": lambda layer: (layer.larger_fan / layer.fan_in) ** HALF,
        "kimi": lambda layer: layer.larger_fan**HALF,
    }
    factor = factors[scale]
    return UpdateLaw(
        "muon" if scale is None else f"muon-{scale}",
        "Muon" if scale is None else f"Muon-{scale.capitalize()}",
        lambda layer: layer.gradient.orthogonalised().scaled(factor(layer)),
        matrices_only=True,
    )


def shampoo(
    left: Exponent = "1/4", right: Exponent = "1/4", *, block: Order | Number | None = None
) -> UpdateLaw:
    """A = (GGᵀ + ε)^-left · G · (GᵀG + ε)^-right, block by block where asked (qiu2025, Table 1).

    Each singular value of G is raised to 1 − 2(left + right). A rank-one G falls into N blocks that
    are rank one again, of norm ‖G‖₂/√N, and N such blocks of norm a make up a matrix of norm √N·a.

    Args:
        left: Exponent e_L of the preconditioner of the rows; 0 for none.
        right: Exponent e_R of that of the columns.
        block: Order of the side of the blocks; None for no blocking.
    """
    power = 1 - 2 * (Fraction(left) + Fraction(right))

    def block_gradient(layer: Layer[S]) -> S:
        return layer.gradient.spectral / _blocks(layer, block) ** HALF

    def step(layer: Layer[S]) -> MatrixSize[S]:
        size = _blocks(layer, block) ** HALF * block_gradient(layer) ** power
        return layer.gradient.normalised().scaled(size)

    return UpdateLaw(
        "shampoo", "Shampoo", step, lambda layer: block_gradient(layer) ** 2, matrices_only=True
    )


def soap(
    *, left: bool = True, right: bool = True, block: Order | Number | None = None
) -> UpdateLaw:
    """Adam in the eigenbasis of GGᵀ (left) and of GᵀG (right), block by block where asked.

    In that basis a rank-one G has one row (left), one column (right), or one entry (both) that is
    not zero; Adam gives each such entry the size one. Without momentum and noise, both rotations
    together make UVᵀ.

    Args:
        left: Whether the rows are rotated.
        right: Whether the columns are.
        block: Order of the side of the blocks; None for no blocking.
    """

    def support(layer: Layer[S]) -> S:
        """Number of entries of a block that are not zero in the rotated basis."""
        rows = layer.fan_out / _pieces(layer.fan_out, block)
        columns = layer.fan_in / _pieces(layer.fan_in, block)
        return (rows**0 if left else rows) * (columns**0 if right else columns)

    def step(layer: Layer[S]) -> MatrixSize[S]:
        size = (_blocks(layer, block) * support(layer)) ** HALF
        return layer.gradient.normalised().scaled(size)

    def epsilon(layer: Layer[S]) -> S:
        return layer.gradient.frobenius / (_blocks(layer, block) * support(layer)) ** HALF

    return UpdateLaw("soap", "SOAP", step, epsilon, matrices_only=True, idle_steps=1)


def sso() -> UpdateLaw:
    """A = R·Φ with ‖Φ‖₂ = 1 and the radius R = √(n_out/n_in) of the sphere (xie2026)."""

    def step(layer: Layer[S]) -> MatrixSize[S]:
        return layer.gradient.orthogonalised().scaled((layer.fan_out / layer.fan_in) ** HALF)

    return UpdateLaw("sso", "SSO", step, matrices_only=True)


def _sign(layer: Layer[S]) -> MatrixSize[S]:
    return layer.gradient.sign()


def _gradient_entry(layer: Layer[S]) -> S:
    return layer.gradient.entry


def _pieces(fan: S, block: Order | Number | None) -> S:
    """How many blocks lie along one side: at least one.

    Raises:
        TypeError: If the side of a block is an order and the layer's a number, or the other way.
    """
    if block is None:
        return fan**0
    if not isinstance(block, type(fan)):
        raise TypeError(f"blocks have the side {block!r}, which does not divide {fan!r}")
    return maximum(fan / block, fan**0)


def _blocks(layer: Layer[S], block: Order | Number | None) -> S:
    return _pieces(layer.fan_out, block) * _pieces(layer.fan_in, block)


LAWS = {
    law.name: law
    for law in (
        sgd(),
        adamw(),
        lion(),
        sophia(),
        adopt(),
        lamb(),
        lamb(clamped=True),
        muon(),
        muon(scale="original"),
        muon(scale="kimi"),
        shampoo(),
        soap(),
        sso(),
    )
}


# What is asked for by names of others, and what comes near.
NEAR = {
    "adam": "adamw is Adam where the decay is 0",
    "muon-spectral": (
        "only an audit knows it; where all fans of a matrix grow alike muon has its factors, for "
        "an optimizer of your own on plan.groups(model)"
    ),
}


def update_law(name: str) -> UpdateLaw:
    """The update law called ``name``, in lower case or not.

    Raises:
        ValueError: If there is none; the message lists those that exist.
    """
    if not isinstance(name, str) or name.lower() not in LAWS:
        raise ValueError(unknown_optimizer(name, LAWS))
    return LAWS[name.lower()]


def unknown_optimizer(name: object, known: Iterable[str]) -> str:
    """That a name is none of those known, which these are, and what comes near."""
    near = NEAR.get(name.lower()) if isinstance(name, str) else "give a name, such as 'adamw'"
    hint = f"; {near}" if near else ""
    return f"unknown optimizer {name!r}: choose one of {', '.join(known)}{hint}"
