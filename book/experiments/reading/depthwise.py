"""The phases of depthwise parametrizations of one-map branches, predicted by two sums.

The multiplier falls like L^-α and one update of the map like L^-γ (yang2024, Section 6). The L
branches of the start are independent, so their sum is √L·L^-α; the L changes that updates make are
aligned, so theirs is L·L^-α·L^-γ; and what enters a non-linearity changes by as much as the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from specmup.theory.order import DEPTH, ONE, Order

UNSTABLE_START = "unstable at the start"
UNSTABLE_TRAINING = "unstable in training"
TRIVIAL = "trivial"
UNFAITHFUL = "unfaithful"
REDUNDANT = "redundant"
DEPTH_MUP = "Depth-μP"
PHASES = (UNSTABLE_START, UNSTABLE_TRAINING, TRIVIAL, UNFAITHFUL, REDUNDANT, DEPTH_MUP)


@dataclass(frozen=True)
class Sums:
    """The orders of four sizes at one point of the plane, as the depth grows.

    Attributes:
        start: Of the last features at the start; they keep at least the size of the input.
        change: Of their change in training.
        preactivation: Of the change of what enters a non-linearity.
        walk: Of what is new in every block: the branches of the start.
    """

    start: Order
    change: Order
    preactivation: Order
    walk: Order


def sums(alpha: Fraction | str, gamma: Fraction | str) -> Sums:
    """What the sums over blocks say; see :func:`phase` for the exponents."""
    multiplier, update = DEPTH ** -Fraction(alpha), DEPTH ** -Fraction(gamma)
    independent = DEPTH ** "1/2" * multiplier
    start = ONE if independent <= ONE else independent
    return Sums(start, DEPTH * multiplier * update, update, walk=independent)


def phase(alpha: Fraction | str, gamma: Fraction | str) -> str:
    """The phase at one point of the plane, one of :data:`PHASES`.

    Args:
        alpha: The multiplier is L^-α.
        gamma: One update is ‖ΔW‖_R = L^-γ; for AdamW the learning rate is L^-γ, for SGD L^(α-γ).
    """
    size = sums(alpha, gamma)
    if not size.start <= ONE:
        return UNSTABLE_START
    if not size.change <= ONE:
        return UNSTABLE_TRAINING
    if size.change != ONE:
        return TRIVIAL
    if not size.preactivation <= ONE:
        return UNFAITHFUL
    return DEPTH_MUP if size.walk == ONE else REDUNDANT
