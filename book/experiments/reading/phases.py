"""Which phase a depthwise parametrization is in, read off measured exponents alone.

Let the multiplier of a one-map branch fall like L^-α and the update of its map like L^-γ. What
deep networks then do is settled by four sizes, each as a power of the depth (yang2024, Section 6):
the features at the start, the change that training makes in them, the change of what enters the
non-linearity, and the part of the way from block to block that is a random walk. Nothing here
knows α and γ; from the theory come the names of the phases.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from experiments.reading.depthwise import (
    DEPTH_MUP,
    REDUNDANT,
    TRIVIAL,
    UNFAITHFUL,
    UNSTABLE_START,
    UNSTABLE_TRAINING,
)
from specmup.analysis.fit import fit_exponents
from specmup.analysis.interval import Interval

Direction = Literal["grows", "fades"]

CANNOT_TELL = "cannot tell"
TOLERANCE = 1 / 8  # half the distance between neighbours on the plane's grid of exponents
# Which size must move in which direction for which phase, in the order of the definitions.
QUESTIONS: tuple[tuple[str, Direction, str], ...] = (
    ("start", "grows", UNSTABLE_START),
    ("change", "grows", UNSTABLE_TRAINING),
    ("change", "fades", TRIVIAL),
    ("preactivation", "grows", UNFAITHFUL),
    ("walk", "fades", REDUNDANT),
)


@dataclass(frozen=True)
class DepthExponents:
    """Measured exponents of the depth, each with its 95 % interval.

    Attributes:
        start: Of the last features at the start.
        change: Of the change of the last features in training.
        preactivation: Of the change of W_l h_{l-1}, typical over blocks.
        walk: Of the random walk in the trained features; see :func:`walk_and_trend`.
    """

    start: Interval
    change: Interval
    preactivation: Interval
    walk: Interval

    @classmethod
    def of(cls, frame: pd.DataFrame) -> DepthExponents:
        """Fit the columns of these names on ``depth``, by ``seed``.

        A size that is ``inf`` at some depth has the exponent ``inf``: nothing about it is level.
        """
        return cls(
            **{name: depth_exponent(frame[name], frame["depth"], frame["seed"]) for name in SIZES}
        )


SIZES = tuple(DepthExponents.__dataclass_fields__)


def depth_exponent(size: pd.Series, depth: pd.Series, seed: pd.Series) -> Interval:
    """The exponent of the depth; ``inf`` where some run diverged."""
    if not np.isfinite(size).all():
        return Interval(inf, inf, inf)
    # The width is one number for all, and its value does not matter.
    exponent = fit_exponents(size, 1.0, depth, seed=seed).depth
    assert exponent is not None  # a depth that does not vary is refused
    return exponent


def moves(exponent: Interval, direction: Direction, tolerance: float) -> bool | None:
    """Whether a size grows, or fades, by more than the tolerance; None if that is undecided.

    The whole interval must lie beyond the tolerance to say yes, and within it to say no.
    """
    low, high = exponent.low, exponent.high
    if direction == "fades":
        low, high = -high, -low
    if low > tolerance:
        return True
    return False if high <= tolerance else None


def classify(exponents: DepthExponents, tolerance: float = TOLERANCE) -> str:
    """The phase, or :data:`CANNOT_TELL`.

    The questions are asked in the order of the definitions, and each presupposes the answers
    before it: only a network that is stable at the start can be stable in training, only one that
    learns can be unfaithful, and so on. An undecided answer ends the questioning.

    Args:
        exponents: What was measured.
        tolerance: How far from zero an exponent measured at finite depth may lie and yet count as
            level.
    """
    for size, direction, phase in QUESTIONS:
        answer = moves(getattr(exponents, size), direction, tolerance)
        if answer is not False:
            return CANNOT_TELL if answer is None else phase
    return DEPTH_MUP


def walk_and_trend(features: Tensor) -> tuple[Tensor, Tensor]:
    """How much of the way through the blocks is a random walk, and how much a trend.

    Over s of L blocks the stream moves by a mean square of walk²·(s/L) + trend²·(s/L)²: what is
    new in every block adds like a walk, what repeats adds like a trend. The two are found by least
    squares from strides of 1, 2, 4, … up to L/4 blocks. A feature diversity exponent of ½ means
    that the walk keeps its size as L grows, one of 0 that it vanishes beside the trend.

    Args:
        features: The stream h_0 … h_L, (L+1, R, batch, n), with L of at least 8.

    Returns:
        Walk and trend as RMS sizes over all blocks, (R,) each; not finite where the features are
        not.

    Raises:
        ValueError: If there are fewer than 8 blocks.
    """
    blocks = len(features) - 1
    strides, squares = mean_square_increments(features)
    # squares·L/s = walk² + trend²·(s/L): a straight line in s/L.
    at = strides / blocks
    line = squares / at[:, None]  # (strides, R)
    centred = at - at.mean()
    slope = (centred @ line) / (centred @ centred)
    intercept = line.mean(0) - slope * at.mean()
    # Noise may leave a term that is absent slightly negative; its size is then zero.
    return intercept.clamp(min=0).sqrt(), slope.clamp(min=0).sqrt()


def mean_square_increments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares of h_{l+s} − h_l over l, samples and coordinates, for s = 1, 2, 4, … ≤ L/4.

    Args:
        features: The stream h_0 … h_L, (L+1, R, batch, n).

    Returns:
        The strides s, (S,), and the mean squares, (S, R).

    Raises:
        ValueError: If there are fewer than 8 blocks, so fewer than two strides.
    """
    blocks = len(features) - 1
    if blocks < 8:
        raise ValueError(f"{blocks} blocks: increments over 1 to L/4 blocks need at least 8")
    strides = [2**e for e in range((blocks // 4).bit_length())]
    squares = [(features[s:] - features[:-s]).square().mean((0, 2, 3)) for s in strides]
    return features.new_tensor(strides), torch.stack(squares)
