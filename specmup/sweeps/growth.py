"""The runs a sweep asks for, given what has been found: grids grow until the optimum is inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from specmup.analysis.optimum import optimum
from specmup.sweeps.configuration import Curve, Grid, Sweep
from specmup.sweeps.estimate import flops
from specmup.sweeps.run import Run

Losses = Mapping[str, float]


def requested_runs(sweep: Sweep, losses: Losses) -> list[Run]:
    """All runs of the sweep, those that its findings so far ask for included, each once.

    They come in the order in which to run them: grid by grid as the file has them, and of a grid
    the largest first, which leaves the small ones to fill the end.

    A curve whose optimum sits on an end of its grid for some seed is continued there, rate by rate
    and for all seeds, at most ``extend`` rates beyond the grid. Every size of a family also runs
    the rates that were added at the base, so that a rate tuned there has been tried everywhere.
    Nothing else is remembered: the same losses give the same runs.

    Args:
        sweep: The sweep.
        losses: Validation loss by a run's identity; ``inf`` for one that diverged.
    """
    found: dict[str, Run] = {}
    for grid in sweep.grid:
        families = (_family(grid, curves, losses) for curves in sweep.families(grid))
        for run in sorted(chain.from_iterable(families), key=flops, reverse=True):
            found.setdefault(run.identity, run)
    return list(found.values())


def _family(grid: Grid, curves: Sequence[Curve], losses: Losses) -> Iterator[Run]:
    of_base: Sequence[float] = ()
    for curve in curves:
        rates = rates_of(grid, curve, losses, also=of_base)
        if curve.is_base:
            of_base = rates
        yield from (curve.run(rate, seed) for rate in rates for seed in grid.seeds)


def rates_of(grid: Grid, curve: Curve, losses: Losses, also: Sequence[float] = ()) -> list[float]:
    """The learning rates (log2) that one curve is run at, increasing.

    Args:
        grid: The grid it belongs to.
        curve: The curve.
        losses: As for :func:`requested_runs`.
        also: More rates to run.
    """
    first = grid.log2_lr
    rates = sorted({*first, *also})
    added = {
        "low": sum(rate < first[0] for rate in rates),
        "high": sum(rate > first[-1] for rate in rates),
    }
    while True:
        asked = [end for end in _edges(grid, curve, rates, losses) if added[end] < grid.extend]
        if not asked:
            return rates
        ends = {
            "low": rates[0] - (first[1] - first[0]),
            "high": rates[-1] + (first[-1] - first[-2]),
        }
        rates = sorted({*rates, *(ends[end] for end in asked)})
        for end in asked:
            added[end] += 1


def _edges(grid: Grid, curve: Curve, rates: Sequence[float], losses: Losses) -> set[str]:
    """The ends of the grid on which some seed's optimum sits; none while a run is missing."""
    if not grid.extend:
        return set()
    found: set[str] = set()
    for seed in grid.seeds:
        names = [curve.run(rate, seed).identity for rate in rates]
        if any(name not in losses for name in names):
            return set()
        best = optimum(rates, [losses[name] for name in names])
        edge = "low" if best.diverged else best.edge
        if edge is not None:
            found.add(edge)
    return found
