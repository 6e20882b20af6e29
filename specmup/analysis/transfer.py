"""Does a learning rate tuned on a small network serve a large one? Optimum, drift and regret.

Learning rates are logarithms to base 2 throughout, and they are the *base* rates that a rule
scales: under a rule that transfers, the optimum stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isinf, isnan, nan
from typing import Literal, cast

import numpy as np
import pandas as pd

from specmup.aligned import aligned
from specmup.analysis.comparable import check_comparable
from specmup.analysis.curve import seed_curves, tuned_rate
from specmup.analysis.interval import Interval, mean_interval
from specmup.analysis.optimum import Optimum
from specmup.analysis.regret import regret
from specmup.analysis.seed_optima import contrast, seed_optima

Axis = Literal["width", "depth"]


@dataclass(frozen=True)
class SizeTransfer:
    """What the learning rates did at one size.

    Attributes:
        size: The width or depth.
        optimum: Mean over seeds of the seeds' own optima, in log2 lr.
        seeds: How many seeds were run.
        low_edge: How many of their optima sit on the low edge of the grid.
        high_edge: How many sit on the high edge.
        bracketed: How many are bounded by their neighbours only: one diverged, or both are level.
        diverged: How many seeds diverged at every rate; they have no optimum to average.
        best_log2_lr: The rate of the grid with the lowest mean loss; nan if none trained all seeds.
        best_loss: The loss there, over seeds.
        carried_loss: The loss at the rate tuned on the base size; None if it was not run here.
        regret: What the carried rate costs beside the best, each seed read at the rate that the
            others chose, see :func:`specmup.analysis.regret.regret`; inf if the carried rate
            diverged, exactly 0 at the base, where it was chosen. None where ``carried_loss`` is.
    """

    size: int
    optimum: Interval
    seeds: int
    low_edge: int
    high_edge: int
    bracketed: int
    diverged: int
    best_log2_lr: float
    best_loss: Interval
    carried_loss: Interval | None
    regret: Interval | None


@dataclass(frozen=True, repr=False)
class Transfer:
    """How the optimum moves along one axis, and what carrying a learning rate costs.

    Attributes:
        axis: ``"width"`` or ``"depth"``.
        sizes: One entry a size, the smallest first.
        base: The size on which the rate is tuned.
        carried_log2_lr: The rate tuned there; nan if every rate diverged.
        drift: Optimum at the largest size minus optimum at the smallest, in log2.
        slope: Drift a doubling of the size: least squares of the optima on log2 size.
        seeds: How many seeds have an optimum at every size, and so enter drift and slope.
    """

    axis: Axis
    sizes: tuple[SizeTransfer, ...]
    base: int
    carried_log2_lr: float
    drift: Interval
    slope: Interval
    seeds: int

    @property
    def regret(self) -> Interval | None:
        """Regret at the largest size."""
        return self.sizes[-1].regret

    def report(self) -> str:
        """A table by size, drift, and every reason to distrust them, as text."""
        one_seed = all(s.seeds == 1 for s in self.sizes)

        def cell(x: Interval | None, spec: str) -> str:
            if x is None:
                return "not run"
            return format(x.estimate, f"z{spec}") if one_seed else format(x, spec)

        head = (self.axis, "optimum (log2 lr)", "best loss", "carried", "regret")
        rows: list[tuple[str, ...]] = [head]
        for s in self.sizes:
            losses = (cell(x, ".3f") for x in (s.best_loss, s.carried_loss, s.regret))
            rows.append((f"{s.size:g}", cell(s.optimum, ".2f"), *losses))
        tuned = f"{self.carried_log2_lr:g}" if isfinite(self.carried_log2_lr) else "none trained"
        lines = [
            *aligned(rows, right=range(len(head))),
            f"carried: log2 lr = {tuned}, tuned at {self.axis} {self.base:g}",
            f"drift from {self.axis} {self.sizes[0].size:g} to "
            f"{self.sizes[-1].size:g}: {cell(self.drift, '.2f')} in log2 lr, "
            f"{cell(self.slope, '.2f')} a doubling",
        ]
        if one_seed:
            lines.append("one seed: there are no intervals")
        return "\n".join(lines + self.warnings())

    def warnings(self) -> list[str]:
        """One sentence for each size whose grid is too short or whose seeds diverged."""
        lines = []
        for s in self.sizes:
            where = f"{self.axis} {s.size:g}"
            reasons = (
                (s.low_edge, "have their optimum on the low edge of the grid, a bound: extend it"),
                (
                    s.high_edge,
                    "have their optimum on the high edge of the grid, a bound: extend it",
                ),
                (
                    s.bracketed,
                    "have their optimum beside a divergence or on a flat, a grid step wide",
                ),
                (s.diverged, "diverged at every learning rate and have no optimum"),
            )
            lines += [f"{where}: {n} of {s.seeds} seeds {what}" for n, what in reasons if n]
        return lines

    __str__ = report
    __repr__ = report


def transfer(
    frame: pd.DataFrame, axis: Axis = "width", *, base: int | None = None, value: str = "loss"
) -> Transfer:
    """Measure drift and regret along one axis, with 95 % intervals over seeds.

    Optimum: each seed's curve gives one (:func:`optimum`); the interval is Student's t over the
    seeds, which are few and independent. Where a seed's optimum is only bounded (edge of the grid,
    diverged neighbour, flat), its bounds take the place of the estimate in the end that they
    concern, so the interval opens instead of pretending. Drift and slope are formed seed by seed
    likewise; they describe these sizes and assume no law.

    Regret: the rate is tuned as a practitioner would, on the base size, by the mean loss over
    seeds; at every other size it is compared, seed by seed, with the rate of the lowest mean loss
    over the other seeds. Only rates that were run are used, so nothing is interpolated. A mean
    that includes a diverged seed is infinite.

    Args:
        frame: One row a run, with columns ``log2_lr``, ``seed``, the axis and the loss. All else
            must be the same in every row: pick one rule, one optimizer, one size on the other axis.
        axis: Along which size to measure.
        base: The size on which the carried rate is tuned; the smallest by default.
        value: The column of the loss.

    Raises:
        ValueError: If the frame is empty, lacks a column, mixes configurations, repeats a run,
            holds nan, lacks learning rates or whole sizes for some seeds, or has only one size.
    """
    check_comparable(frame, axis, value)
    curves = {}
    for key, rows in frame.groupby(axis):
        size = cast(int, key)  # to pandas any scalar
        curves[size] = seed_curves(rows, f"{axis} {size:g}", value)
    sizes = list(curves)
    if len(sizes) < 2:
        raise ValueError(f"transfer over {axis} needs at least two sizes, got only {sizes[0]:g}")
    base = sizes[0] if base is None else base
    if base not in sizes:
        raise ValueError(f"the base {axis} {base:g} was not run; these were: {sizes}")
    for size in sizes[1:]:
        if not curves[size].index.equals(curves[sizes[0]].index):
            raise ValueError(
                f"{axis} {size:g} has seeds {curves[size].index.tolist()} and {axis} {sizes[0]:g} "
                f"has {curves[sizes[0]].index.tolist()}: run the same seeds at every size"
            )
    optima = [seed_optima(c) for c in curves.values()]
    carried = tuned_rate(curves[base])
    usable = [
        of_seed for of_seed in zip(*optima, strict=True) if not any(o.diverged for o in of_seed)
    ]
    along = list(zip(*usable, strict=True)) or [()] * len(sizes)
    doublings = np.log2(np.asarray(sizes, dtype=float))
    doublings -= doublings.mean()
    return Transfer(
        axis=axis,
        sizes=tuple(
            _size_transfer(size, curve, found, carried, is_base=size == base)
            for (size, curve), found in zip(curves.items(), optima, strict=True)
        ),
        base=base,
        carried_log2_lr=carried,
        drift=contrast(np.r_[-1.0, np.zeros(len(sizes) - 2), 1.0], along),
        slope=contrast(doublings / (doublings @ doublings), along),
        seeds=len(usable),
    )


def _size_transfer(
    size: int, curve: pd.DataFrame, optima: Sequence[Optimum], carried: float, *, is_base: bool
) -> SizeTransfer:
    best = tuned_rate(curve)
    best_loss = mean_interval(curve[best]) if isfinite(best) else Interval(inf, inf, inf)
    carried_loss = mean_interval(curve[carried]) if carried in curve.columns else None
    cost: Interval | None
    if isnan(carried):
        cost = Interval(nan, nan, nan)
    elif carried_loss is None or isinf(carried_loss.estimate):
        cost = carried_loss
    else:
        cost = Interval(0.0, 0.0, 0.0) if is_base else regret(curve, carried)
    return SizeTransfer(
        size=size,
        optimum=contrast([1.0], [[o for o in optima if not o.diverged]]),
        seeds=len(optima),
        low_edge=sum(o.edge == "low" for o in optima),
        high_edge=sum(o.edge == "high" for o in optima),
        bracketed=sum(o.bracketed for o in optima),
        diverged=sum(o.diverged for o in optima),
        best_log2_lr=best,
        best_loss=best_loss,
        carried_loss=carried_loss,
        regret=cost,
    )
