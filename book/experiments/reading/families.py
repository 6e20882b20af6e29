"""Families of a sweep's runs: what one comparison along one axis takes, and whether it is there.

A table of results may be incomplete while its sweep is still running. Which runs a family lacks is
not guessed from gaps but asked of the sweep, its grids' growth included.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from math import isinf, isnan
from typing import Any

import pandas as pd
from IPython.display import Markdown

from experiments.reading.tables import table
from specmup.analysis.curve import seed_curves, tuned_rate
from specmup.analysis.interval import Interval
from specmup.analysis.regret import held_out
from specmup.analysis.transfer import Axis, Transfer, transfer
from specmup.sweeps.collect import SORT
from specmup.sweeps.configuration import Curve, Sweep, sweep_from
from specmup.sweeps.figure import RULE_TITLES
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.work import execute
from specmup.theory.update import update_law

# What tells the families of one table apart, and how its heads call their drift.
FAMILY = ["optimizer", "normalisation", "weight_decay", "rule"]
DRIFTS = [("drift ($\\log_2$)", word) for word in ("whole", "per doubling")]


@dataclass(frozen=True, repr=False)
class Family:
    """Runs that differ in their size along one axis, their learning rate and their seed.

    Attributes:
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        rule: A key of :data:`specmup.sweeps.run.RULES`.
        normalisation: ``layernorm`` or ``none``.
        weight_decay: Of the base.
        axis: ``width`` or ``depth``; the other size is the base's.
        base: The base's size along the axis, on which a rate is tuned.
        rows: The runs that are there, as :func:`specmup.sweeps.collect.frame_of` gives them.
        missing: How many more the sweep asks for.
    """

    optimizer: str
    rule: str
    normalisation: str
    weight_decay: float
    axis: Axis
    base: int
    rows: pd.DataFrame
    missing: int

    @property
    def complete(self) -> bool:
        """Whether every run is there."""
        return not self.missing

    @property
    def title(self) -> str:
        """Text such as ``AdamW, k = 1, no LayerNorm``."""
        words = [update_law(self.optimizer).title, RULE_TITLES[self.rule]]
        words += ["no LayerNorm"] * (self.normalisation == "none")
        words += [f"λ = {self.weight_decay:g}"] * (self.weight_decay != 0)
        return ", ".join(words)

    def curves(self, size: int) -> pd.DataFrame:
        """Losses at one size: a row a seed, a column a rate (log2).

        Raises:
            ValueError: If the size was not run.
        """
        rows = self.rows[self.rows[self.axis] == size]
        if rows.empty:
            run = sorted(set(self.rows[self.axis]))
            raise ValueError(f"{self.title}: no run of {self.axis} {size:g}; there are {run}")
        return seed_curves(rows, f"{self.title}, {self.axis} {size:g}")

    def tuned(self, size: int) -> pd.Series:
        """Losses of the seeds at a size's own best rate, which is the series' name (log2).

        Raises:
            ValueError: If the size was not run, or no rate trained all seeds there.
        """
        curves = self._trained(size)
        return curves[tuned_rate(curves)]

    def held_out(self, size: int) -> pd.Series:
        """Losses of the seeds, each at the rate that the others choose; without a minimum's bias.

        Raises:
            ValueError: As :meth:`tuned`.
        """
        return held_out(self._trained(size))

    def _trained(self, size: int) -> pd.DataFrame:
        """The curves, of which some rate trains all seeds."""
        curves = self.curves(size)
        if isnan(tuned_rate(curves)):
            raise ValueError(f"{self.title}, {self.axis} {size:g}: no rate trained all seeds")
        return curves

    def transfer(self, least: float = 0, most: float = float("inf")) -> Transfer:
        """Drift and regret along the axis, the rate tuned on the base.

        Args:
            least: Leave out smaller sizes.
            most: Leave out larger ones.
        """
        sizes = self.rows[self.axis]
        return transfer(self.rows[sizes.between(least, most)], self.axis, base=self.base)

    def __repr__(self) -> str:
        """Title, axis and how many runs are there."""
        there = len(self.rows)
        return f"{self.title}, {self.axis}: {there} of {there + self.missing} runs"


def sweep_of(manifest: Mapping[str, Any]) -> Sweep:
    """The sweep that a manifest of :func:`specmup.sweeps.collect.collect` was made from."""
    told = manifest["configuration"]
    return sweep_from({f.name: told[f.name] for f in fields(Sweep)})


def families(frame: pd.DataFrame, sweep: Sweep) -> list[Family]:
    """Every family that the sweep asks for with two sizes or more, in the order of its file.

    A size that two axes share may have more seeds or rates for the sake of the other one: a family
    holds the seeds that all of its sizes have, and of a size the rates that all of these have.

    Args:
        frame: Runs that are there, as :func:`specmup.sweeps.collect.frame_of` gives them.
        sweep: What was to be run.
    """
    asked = requested_runs(sweep, _losses(frame, sweep))
    there = set(frame[list(SORT)].itertuples(index=False, name=None))
    groups: dict[tuple, list[Run]] = {}
    for run in asked:
        for axis in _axes(run):
            groups.setdefault((*_key(run)[:4], axis), []).append(run)
    found = []
    for (normalisation, optimizer, rule, decay, axis), runs in groups.items():
        if len({getattr(run, axis) for run in runs}) < 2:
            continue
        runs = list(_comparable(runs, axis))
        keys = pd.DataFrame([_key(run) for run in runs], columns=list(SORT))
        found.append(
            Family(
                optimizer=optimizer,
                rule=rule,
                normalisation=normalisation,
                weight_decay=decay,
                axis=axis,
                base=sweep.base[axis],
                rows=keys.merge(frame, on=list(SORT)).sort_values(list(SORT), ignore_index=True),
                missing=sum(_key(run) not in there for run in runs),
            )
        )
    return found


def _comparable(runs: Sequence[Run], axis: Axis) -> Iterator[Run]:
    """The runs of seeds that all sizes have, at rates that all of these seeds have at a size."""
    seeds: dict[int, set[int]] = {}
    for run in runs:
        seeds.setdefault(getattr(run, axis), set()).add(run.seed)
    everywhere = set.intersection(*seeds.values())
    at: dict[tuple[int, float], set[int]] = {}
    for run in runs:
        at.setdefault((getattr(run, axis), run.log2_lr), set()).add(run.seed)
    for run in runs:
        if run.seed in everywhere <= at[getattr(run, axis), run.log2_lr]:
            yield run


def rerun(rows: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """The runs of some rows, done anew: their keys and losses, to be held against the rows.

    Raises:
        KeyError: If the sweep asks for no such run.
    """
    curves = _curves(sweep)
    again = []
    for key in rows[list(SORT)].itertuples(index=False, name=None):
        result = execute(curves[key[:-2]].run(*key[-2:]))
        again.append((*key, float(result["loss"])))
    return pd.DataFrame(again, columns=[*SORT, "loss"])


def transfer_table(chosen: Sequence[Family], caption: str) -> Markdown:
    """A row a family: sizes, seeds, drift, drift per doubling, regret, tuned losses.

    Args:
        chosen: Complete families along one axis.
        caption: What to see.
    """
    rows = {}
    for family in chosen:
        t, by = family.transfer(), family.axis
        small, large = t.sizes[0], t.sizes[-1]
        at_base = next(s for s in t.sizes if s.size == t.base)
        rows[tuple(getattr(family, key) for key in FAMILY)] = {
            (by, ""): f"{small.size:g}–{large.size:g}",
            ("seeds", ""): large.seeds,
            DRIFTS[0]: t.drift,
            DRIFTS[1]: t.slope,
            ("regret", ""): _told(t.regret),
            ("tuned loss", f"{by} {at_base.size:g}"): at_base.best_loss,
            ("tuned loss", f"{by} {large.size:g}"): large.best_loss,
        }
    shown = pd.DataFrame(rows).T.rename_axis(FAMILY)
    same: list[Hashable] = [
        key for key in FAMILY if key != "rule" and shown.index.unique(key).size == 1
    ]
    return table(shown.droplevel(same), caption, spec=".3f", specs=dict.fromkeys(DRIFTS, ".2f"))


def _told(regret: Interval | None) -> Interval | str:
    """A regret, or why it has no size."""
    if regret is None:
        return "not run"
    return "diverges" if isinf(regret.estimate) else regret


def _losses(frame: pd.DataFrame, sweep: Sweep) -> dict[str, float]:
    """Losses by the identity of their runs; rows that the sweep knows nothing of are passed by."""
    curves, found = _curves(sweep), {}
    for *key, loss in frame[[*SORT, "loss"]].itertuples(index=False, name=None):
        if (curve := curves.get(tuple(key[:-2]))) is not None:
            found[curve.run(*key[-2:]).identity] = loss
    return found


def _curves(sweep: Sweep) -> dict[tuple, Curve]:
    """Every curve by what tells curves apart."""
    return {_key(curve.run(0.0, 0))[:-2]: curve for curve in _all_curves(sweep)}


def _all_curves(sweep: Sweep) -> Iterator[Curve]:
    return chain.from_iterable(chain.from_iterable(map(sweep.families, sweep.grid)))


def _key(run: Run) -> tuple:
    """The values of :data:`specmup.sweeps.collect.SORT`."""
    size = run.width, run.depth
    same = run.shape.normalisation, run.optimizer, run.rule, run.weight_decay
    return (*same, *size, run.log2_lr, run.seed)


def _axes(run: Run) -> list[Axis]:
    """The axes along which a run may be compared: both for the base's size."""
    pairs: tuple[tuple[Axis, Axis], ...] = (("width", "depth"), ("depth", "width"))
    return [axis for axis, other in pairs if getattr(run, other) == run.base[other]]
