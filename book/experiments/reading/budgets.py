"""What a budget buys: random searches on the large model as it is, or on a base to be carried.

A search draws points of a stored grid without replacement and keeps the one with the lowest loss on
the samples to choose by. Of all searches of one length the outcomes and their probabilities are
known exactly, so none is drawn. What a seed does is independent of another, so intervals are over
seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from specmup.analysis.interval import Interval, mean_interval

NUMBERS = ["start", "embedding", "readout", "log2_lr"]
Size = tuple[int, int]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What searches of one kind and length come to.

    Attributes:
        by_seed: Expected loss of the run that is kept, on samples that did not choose it.
        low: A tenth of all searches keep a run of at most this loss.
        high: A tenth keep one of at least this loss.
        runs: Runs of the search.
        flops: Spent on the search and on the run that is kept.
    """

    by_seed: Array
    low: float
    high: float
    runs: int
    flops: float

    @property
    def loss(self) -> Interval:
        """Its mean over the seeds."""
        return mean_interval(self.by_seed)


@dataclass(frozen=True)
class Searches:
    """Searches in the stored runs of one model.

    Args:
        rows: A row a run, as :func:`experiments.your_model.tune_rate` gives them.
        large: Width and depth of what is wanted in the end.
        guess: Loss of a model that guesses; one that ends above it counts as guessing.
    """

    rows: pd.DataFrame
    large: Size
    guess: float

    def among(self, query: str) -> Searches:
        """Searches among the points that a query names."""
        return Searches(self.rows.query(query), self.large, self.guess)

    def curves(self, base: Size, size: Size, value: str = "loss") -> pd.DataFrame:
        """Losses (points, seeds) of a size under the plan from a base.

        Raises:
            ValueError: If a run is missing.
        """
        sizes = ["base_width", "base_depth", "width", "depth"]
        rows = self.rows[(self.rows[sizes] == [*base, *size]).all(axis=1)]
        found = rows.pivot(index=NUMBERS, columns="seed", values=value)
        if found.empty or found.isna().any(axis=None):
            raise ValueError(f"size {size} under the plan from {base} is not stored for each seed")
        return found.clip(upper=self.guess) if value == "test_loss" else found

    def cost(self, size: Size) -> float:
        """FLOPs of a run."""
        rows = self.rows[(self.rows.width == size[0]) & (self.rows.depth == size[1])]
        return float(rows.flops.iloc[0])

    def direct(self, runs: int) -> Outcome:
        """Tune the large model as it is; the best run of the search is what is kept."""
        chosen_by = self.curves(self.large, self.large)
        kept = self.curves(self.large, self.large, "test_loss")
        runs = min(runs, len(kept))
        columns = [(chosen_by[s], kept[s]) for s in kept]
        return _outcome(columns, runs, runs, runs * self.cost(self.large))

    def carried(self, base: Size, runs: int, rates: int = 1) -> Outcome:
        """Tune the base, then train the large model under the plan.

        With more runs than there are points, each is run with as many seeds as that pays for, and
        the mean over them chooses. What is left over is not spent.

        Args:
            base: Width and depth.
            runs: Of the base.
            rates: Of the large model: 1 is the carried one, 3 also half and twice that, of which
                the best is kept.

        Raises:
            ValueError: If ``rates`` is even, so that they do not lie around one, or a run missing.
        """
        if rates % 2 == 0:
            raise ValueError(f"{rates} rates: give an odd number, as many below as above")
        chosen_by, kept = self.curves(base, base), self._kept(base, rates)
        points, seeds = len(kept), list(kept)
        each = int(np.clip(runs // points, 1, len(seeds)))
        runs = min(runs, each * points)
        columns = []
        for i, seed in enumerate(seeds):
            own = [seeds[(i + more) % len(seeds)] for more in range(each)]
            columns.append((chosen_by[own].mean(axis=1), kept[seed].reindex(chosen_by.index)))
        spent = runs * self.cost(base) + rates * self.cost(self.large)
        return _outcome(columns, min(runs, points), runs, spent)

    def _kept(self, base: Size, rates: int) -> pd.DataFrame:
        """Losses (points, seeds) of what is kept of the rates around each point."""
        by, told = (self.curves(base, self.large, value) for value in ("loss", "test_loss"))
        around = range(-(rates // 2), rates // 2 + 1)
        diverged = by.clip(upper=np.finfo(float).max)  # worse than any, but on the grid
        tried = np.array([_at_rate(diverged, times).fillna(np.inf) for times in around])
        found = np.array([_at_rate(told, times) for times in around])
        best = np.take_along_axis(found, tried.argmin(axis=0)[None], axis=0)[0]
        return pd.DataFrame(best, by.index, by.columns)

    def affordable(self, base: Size, large_runs: float, rates: int = 1) -> int:
        """Runs of a base within a budget, in runs of the large model, that keeps some for it."""
        return int((large_runs - rates) * self.cost(self.large) / self.cost(base))

    def chosen(self, base: Size) -> pd.Series:
        """The point with the lowest mean over the seeds at the base."""
        means = self.curves(base, base).mean(axis=1).reset_index(name="loss")
        return means.sort_values("loss").iloc[0][NUMBERS]


def probabilities(points: int, tries: int) -> Array:
    """That the best of some points drawn without replacement is the first, second, … of all.

    C(N-k, m-1)/C(N, m) for the k-th of N points and m tries.

    Raises:
        ValueError: If there are not between 1 and as many tries as points.
    """
    if not 1 <= tries <= points:
        raise ValueError(f"{tries} tries of {points} points: give from 1 to {points}")
    found, left = [], 1.0
    for before in range(points):
        now = min(1.0, tries / (points - before))  # of those not yet passed by
        found.append(left * now)
        left *= 1 - now
    return np.array(found)


def _at_rate(curves: pd.DataFrame, times: int) -> pd.DataFrame:
    """At each point what stands at 2^times its rate; nan where the grid ends."""
    moved = curves.reset_index("log2_lr").assign(log2_lr=lambda rows: rows.log2_lr - times)
    return moved.set_index("log2_lr", append=True).reindex(curves.index)


def _outcome(
    columns: Sequence[tuple[pd.Series, pd.Series]], tries: int, runs: int, flops: float
) -> Outcome:
    """From what chooses and what is kept, by point, for each seed."""
    weights = probabilities(len(columns[0][0]), tries)
    ordered = [kept.to_numpy()[np.argsort(by.to_numpy(), kind="stable")] for by, kept in columns]
    by_seed = np.array([float(weights @ losses) for losses in ordered])
    losses = np.concatenate(ordered)
    order = np.argsort(losses)
    passed = np.cumsum(np.tile(weights, len(ordered))[order]) / len(ordered)
    low, high = (losses[order][np.searchsorted(passed, q - 1e-12)] for q in (0.1, 0.9))
    return Outcome(by_seed, float(low), float(high), runs, flops)
