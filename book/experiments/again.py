"""A slice of a stored result, made again: what a chapter holds its tables against.

Of an experiment it is the scale ``slice``, or else ``quick``; of a sweep of language models it is
named here. What is not stored, or not measured for its rounding, is not trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import pandas as pd
from pandas.api.types import is_numeric_dtype

from experiments.reading.agreement import Agreement, agrees_with
from experiments.reading.families import rerun, sweep_of
from experiments.reading.rounding import SEED, Rounding, described
from specmup.runs.results import Results
from specmup.streams import drawn_from
from specmup.sweeps.collect import SORT

# Runs near the best rate at the base and at half its width.
OF_SWEEPS = {
    "gpt-small": "optimizer == 'adamw' and rule == 'k2' and normalisation == 'layernorm' and "
    "depth == 2 and width in (32, 64) and log2_lr in (-8, -7) and seed == 0"
}


class Slice(NamedTuple):
    """Rows made now, and how to hold them against what is stored."""

    frame: pd.DataFrame
    on: Sequence[str]
    values: Sequence[str]


def slice_of(results: Results, where: str = "", within: Rounding | None = None) -> Slice:
    """Make the slice of a stored result now, from the random streams that the result drew from.

    Rows that are not stored, as a grid that extends itself may have, are passed by; a job is not
    run if none of its rows can be. One that is run has to make stored rows of every seed.

    Args:
        results: As loaded.
        where: A query, to make fewer runs of a sweep.
        within: Also passes by the rows for which it was not measured.

    Raises:
        ValueError: If an experiment has no such rows, or a job makes none of those of a seed.
    """
    name = results.manifest["name"]
    rows = results.frame if within is None else within.rows(results.frame)
    with drawn_from(results.streams):
        if name in OF_SWEEPS:
            rows = rows.query(OF_SWEEPS[name])
            rows = rows.query(where) if where else rows
            return Slice(rerun(rows, sweep_of(results.manifest)), list(SORT), ("loss",))
        experiment = experiment_of(name)
        keys = list(experiment.keys)
        rows, wanted = rows[keys], partial(_makes, rows[keys])
        frame = experiment.run(experiment.slice, wanted=wanted).frame
    frame = frame.astype(rows.dtypes.to_dict()).merge(rows, on=keys)
    for job in filter(wanted, experiment.jobs(experiment.slice)):
        # Of rates fewer may be made: a grid extends itself until each of its own seeds is served.
        by = [SEED if SEED in keys else keys[0]]
        check_made(has_rows(rows, job), has_rows(frame, job), by)
    return Slice(frame, keys, experiment.compared)


def rows_made_again(results: Results, rows: pd.DataFrame) -> Slice:
    """Make stored rows now, any of them, from the random streams that the result drew from.

    An experiment makes rows by the job; whatever else comes of a job and is stored comes too.

    Args:
        results: As loaded.
        rows: Some of its rows.

    Raises:
        ValueError: If no job of the experiment makes any of them.
    """
    name = results.manifest["name"]
    with drawn_from(results.streams):
        if name in OF_SWEEPS:
            return Slice(rerun(rows, sweep_of(results.manifest)), list(SORT), ("loss",))
        experiment = experiment_of(name)
        keys = list(experiment.keys)
        wanted = partial(_makes, rows[keys])
        if not any(map(wanted, experiment.jobs(results.scale))):
            raise ValueError(f"no job of {name}, scale {results.scale}, makes these rows")
        frame = experiment.run(results.scale, wanted=wanted).frame
    stored = results.frame[keys]
    frame = frame.astype(stored.dtypes.to_dict())
    return Slice(frame.merge(stored, on=keys), keys, experiment.compared)


def measured_rows(results: Results) -> pd.DataFrame:
    """The stored rows for which rounding was measured: those that the jobs of the slice can make.

    The manifest tells the values of each column, and their product may hold more. Where a grid
    extends itself, so may this: a rate that the slice's few seeds did not ask for.
    """
    name = results.manifest["name"]
    if "rounding" not in results.manifest:
        return results.frame[:0]
    rows = Rounding.of(results).rows(results.frame)
    if name in OF_SWEEPS:
        return rows.query(OF_SWEEPS[name])
    experiment = experiment_of(name)
    keys = rows[list(experiment.keys)]
    made = (has_rows(keys, job).index for job in experiment.jobs(experiment.slice))
    return rows.loc[sorted(set().union(*made))]


def check_made(rows: pd.DataFrame, made: pd.DataFrame, by: Sequence[str]) -> None:
    """Check that what some columns say of stored rows, some made row says too.

    Raises:
        ValueError: If it does not; the message names the first such row.
    """
    asked, came = (pd.MultiIndex.from_frame(some[list(by)]) for some in (rows, made))
    lost = rows[~asked.isin(came)]
    if len(lost):
        first, *_ = described(lost, lost.columns.tolist())
        raise ValueError(
            f"{len(lost)} of {len(rows)} stored rows do not come of their job any more, the first "
            f"{first}: run the experiment again, with its version raised"
        )


def experiment_of(name: str) -> Any:
    """The :class:`experiments.declared.Experiment` that a stored result is of."""
    return import_module(f"experiments.{name.replace('-', '_')}").EXPERIMENT


def has_rows(rows: pd.DataFrame, job: Mapping[str, Any]) -> pd.DataFrame:
    """Those of some rows that can have come of a job: those with its options."""
    for name, value in job.items():
        if name == "seeds" and SEED in rows:
            rows = rows[rows[SEED].isin(range(value) if isinstance(value, int) else value)]
        elif name == "steps" and name in rows:
            rows = rows[rows.steps <= value]  # a job may also tell of steps on the way
        elif name in rows:
            number = isinstance(value, str) and is_numeric_dtype(rows[name])  # such as "1/2"
            rows = rows[rows[name] == (float(Fraction(value)) if number else value)]
    return rows


def _makes(rows: pd.DataFrame, job: Mapping[str, Any]) -> bool:
    return not has_rows(rows, job).empty


class MadeAgain(list[Agreement]):
    """One agreement a compared column; prints a line for each."""

    def __str__(self) -> str:
        """The lines."""
        return "\n".join(map(str, self))

    __repr__ = __str__


def made_again(results: Results, where: str = "") -> MadeAgain:
    """Make the slice of a stored result now and check that it agrees as far as rounding lets it.

    Args:
        results: As loaded.
        where: A query, to make fewer runs of a sweep.

    Raises:
        Disagreement: If it does not.
        ValueError: If rounding was not measured for it.
    """
    rounding = Rounding.of(results)
    live = slice_of(results, where, rounding).frame
    return MadeAgain(agrees_with(live, results, value) for value in rounding.spread)
