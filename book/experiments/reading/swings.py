"""Whether a best learning rate swings to and fro as the depth grows, or drifts, or keeps still.

The optimum at a depth is the vertex of a parabola through the seeds' mean log losses at the rates
within an octave of the lowest. A *move* is what it does from one depth to the next, with a
jackknife's interval over seeds, so wide that all moves together hold at 95 % (Bonferroni). A *turn*
is a told move followed, as the next told one, by one the other way. Two turns or more are an
oscillation: a drift, however large, has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Literal, cast

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from specmup.analysis.curve import seed_curves
from specmup.analysis.interval import LEVEL, Interval

OCTAVE = 1.0  # in log2
STILL = 0.5  # octaves: what a tuner would not notice


@dataclass(frozen=True)
class Swings:
    """How the optimum moves over the depths, in log2 of the learning rate.

    Attributes:
        depths: The smallest first.
        optima: One a depth.
        moves: One a pair of neighbouring depths; all hold together at 95 %.
    """

    depths: tuple[int, ...]
    optima: tuple[float, ...]
    moves: tuple[Interval, ...]

    @property
    def told(self) -> tuple[Interval, ...]:
        """The moves that can be told from zero."""
        return tuple(move for move in self.moves if 0 not in move)

    @property
    def turns(self) -> int:
        """How often a told move is followed by a told one the other way."""
        return sum(a.estimate * b.estimate < 0 for a, b in pairwise(self.told))

    @property
    def room(self) -> float:
        """The largest swing that the intervals leave open: a move and, next, one the other way.

        Its size is that of the smaller of the two.
        """
        pairs = list(pairwise(self.moves))
        up_down = [min(a.high, -b.low) for a, b in pairs]
        down_up = [min(-a.low, b.high) for a, b in pairs]
        return max(0.0, *up_down, *down_up)

    @property
    def answer(self) -> Literal["oscillates", "turns", "drifts", "still", "cannot tell"]:
        """What the optimum does.

        ``oscillates`` with two turns or more, ``turns`` with one, ``drifts`` with told moves of one
        sign. Without any it is ``still`` if no swing of half an octave is left open, and otherwise
        the data cannot tell.
        """
        if not self.told:
            return "still" if self.room <= STILL else "cannot tell"
        if self.turns == 0:
            return "drifts"
        return "turns" if self.turns == 1 else "oscillates"


def swings(frame: pd.DataFrame, value: str = "loss") -> Swings:
    """How the optimum moves over the depths of one optimizer under one rule.

    Args:
        frame: One row a run, with columns ``depth``, ``log2_lr``, ``seed`` and the loss; at every
            depth the same seeds, at three rates or more that did not diverge.
        value: The column of the loss.

    Raises:
        ValueError: If there are fewer than three depths or two seeds, or seeds differ by depth.
    """
    curves = {}
    for key, rows in frame.groupby("depth"):
        depth = cast(int, key)  # to pandas any scalar
        curves[depth] = seed_curves(rows, f"depth {depth:g}", value)
    seeds = {tuple(curve.index) for curve in curves.values()}
    if len(curves) < 3:
        raise ValueError(f"there are the depths {list(curves)}: a swing needs three, run more")
    if len(seeds) > 1 or len(next(iter(seeds))) < 2:
        raise ValueError(f"the seeds are {seeds}: run the same two or more at every depth")
    (names,) = seeds
    whole = np.array([_optimum(curve) for curve in curves.values()])  # (depths,)
    without = np.array([[_optimum(curve.drop(s)) for curve in curves.values()] for s in names])
    n = len(names)
    moves = np.diff(n * whole - (n - 1) * without)  # pseudo-values, (seeds, depths − 1)
    t = stdtrit(n - 1, 1 - (1 - LEVEL) / 2 / moves.shape[1])
    half = t * moves.std(axis=0, ddof=1) / sqrt(n)
    estimates = np.diff(whole)
    return Swings(
        depths=tuple(curves),
        optima=tuple(whole.tolist()),
        moves=tuple(Interval.around(e, h) for e, h in zip(estimates, half, strict=True)),
    )


def _optimum(curves: pd.DataFrame) -> float:
    """The vertex of the mean log curve near its lowest rate, never outside the rates that it uses.

    Raises:
        ValueError: If fewer than three rates near the lowest trained every seed.
    """
    mean = curves.map(np.log).mean()
    trained = mean[np.isfinite(mean)]
    near = trained[np.abs(trained.index - trained.idxmin()) <= OCTAVE] if len(trained) else trained
    if len(near) < 3:
        raise ValueError(f"{len(near)} rates near the best trained every seed: sweep finer")
    bend, slope, _ = np.polyfit(near.index.to_numpy(), near.to_numpy(), 2)
    if bend <= 0:
        return float(trained.idxmin())
    return float(np.clip(-slope / (2 * bend), near.index.min(), near.index.max()))
