"""Whether a best learning rate swings to and fro as the depth grows, or drifts, or keeps still.

The optimum at a depth is the vertex of a parabola through the seeds' mean log losses at the rates
within an octave of the lowest. A *move* is what it does from one depth to the next, with a
jackknife's interval over seeds, so wide that all moves together hold at 95 % (Bonferroni). A *turn*
is a told move followed, as the next told one, by one the other way. Two turns or more are an
oscillation: a drift, however large, has none.

Where the lowest loss is at the last rate of the grid, of all seeds or of all but one, the optimum
may lie anywhere beyond, and the intervals are open to that side.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf, sqrt
from typing import Literal, NamedTuple, cast

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
        reach: How far apart the optima of any two depths may lie, each pair at 95 %. Where all must
            be near, no correction for their number is due.
    """

    depths: tuple[int, ...]
    optima: tuple[float, ...]
    moves: tuple[Interval, ...]
    reach: float

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
        sign. Without any it is ``still`` if neither a swing of half an octave is left open nor two
        depths so far apart, and otherwise the data cannot tell.
        """
        if not self.told:
            return "still" if max(self.room, self.reach) <= STILL else "cannot tell"
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
    found, last = _Optima.of(list(curves.values()), names), len(curves) - 1
    pairs = [found.between(i, j, 1 - LEVEL) for i, j in combinations(range(last + 1), 2)]
    return Swings(
        depths=tuple(curves),
        optima=tuple(found.whole.tolist()),
        moves=tuple(found.between(i, i + 1, (1 - LEVEL) / last) for i in range(last)),
        reach=max(max(-pair.low, pair.high) for pair in pairs),
    )


class _Optima(NamedTuple):
    """The optimum at each depth, its pseudo-values (seeds, depths), and where a grid is too short.

    Of a depth, ``below`` and ``above`` say whether the optimum may lie beyond that end of the grid.
    """

    whole: np.ndarray
    pseudo: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def of(cls, curves: Sequence[pd.DataFrame], seeds: Sequence[Hashable]) -> _Optima:
        n = len(seeds)
        whole = np.array([_optimum(curve) for curve in curves])  # (depths, 2)
        without = np.array([[_optimum(curve.drop(seed)) for curve in curves] for seed in seeds])
        edges = np.vstack([whole[None, :, 1], without[..., 1]])
        pseudo = n * whole[:, 0] - (n - 1) * without[..., 0]
        return cls(whole[:, 0], pseudo, edges.min(axis=0) < 0, edges.max(axis=0) > 0)

    def between(self, i: int, j: int, chance: float) -> Interval:
        """From one depth to another; the interval misses it by this chance at most."""
        apart = self.pseudo[:, j] - self.pseudo[:, i]
        t = stdtrit(len(apart) - 1, 1 - chance / 2)
        half = float(t * apart.std(ddof=1) / sqrt(len(apart)))
        move = Interval.around(float(self.whole[j] - self.whole[i]), half)
        low = -inf if self.below[j] or self.above[i] else move.low
        return Interval(move.estimate, low, inf if self.above[j] or self.below[i] else move.high)


def _optimum(curves: pd.DataFrame) -> tuple[float, int]:
    """The vertex of the mean log curve near its lowest rate, never outside the rates that it uses.

    Beside it −1 or 1 if the lowest rate is the first or the last of the grid, else 0.

    Raises:
        ValueError: If fewer than three rates near the lowest trained every seed.
    """
    mean = curves.map(np.log).mean()
    trained = mean[np.isfinite(mean)]
    near = trained[np.abs(trained.index - trained.idxmin()) <= OCTAVE] if len(trained) else trained
    if len(near) < 3:
        raise ValueError(f"{len(near)} rates near the best trained every seed: sweep finer")
    edge = int(trained.idxmin() == mean.index[-1]) - int(trained.idxmin() == mean.index[0])
    bend, slope, _ = np.polyfit(near.index.to_numpy(), near.to_numpy(), 2)
    if bend <= 0:
        return float(trained.idxmin()), edge
    return float(np.clip(-slope / (2 * bend), near.index.min(), near.index.max())), edge
