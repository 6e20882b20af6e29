"""The phases of depthwise parametrizations of one-map branches, predicted by two sums.

The multiplier falls like L^-α and one update of the map like L^-γ (yang2024, Section 6). The L
branches of the start are independent, so their sum is √L·L^-α; the L changes that updates make are
aligned, so theirs is L·L^-α·L^-γ; and what enters a non-linearity changes by as much as the map.
"""

from __future__ import annotations

from fractions import Fraction

from specmup.theory.order import DEPTH, ONE

UNSTABLE_START = "unstable at the start"
UNSTABLE_TRAINING = "unstable in training"
TRIVIAL = "trivial"
UNFAITHFUL = "unfaithful"
REDUNDANT = "redundant"
DEPTH_MUP = "Depth-μP"
PHASES = (UNSTABLE_START, UNSTABLE_TRAINING, TRIVIAL, UNFAITHFUL, REDUNDANT, DEPTH_MUP)


def phase(alpha: Fraction | str, gamma: Fraction | str) -> str:
    """The phase at one point of the plane, one of :data:`PHASES`.

    Args:
        alpha: The multiplier is L^-α.
        gamma: One update is ‖ΔW‖_R = L^-γ; for AdamW the learning rate is L^-γ, for SGD L^(α-γ).
    """
    multiplier, update = DEPTH ** -Fraction(alpha), DEPTH ** -Fraction(gamma)
    start = DEPTH ** "1/2" * multiplier
    change = DEPTH * multiplier * update
    if not start <= ONE:
        return UNSTABLE_START
    if not change <= ONE:
        return UNSTABLE_TRAINING
    if change != ONE:
        return TRIVIAL
    if not update <= ONE:
        return UNFAITHFUL
    return DEPTH_MUP if start == ONE else REDUNDANT
