"""A slice of a stored result, made again: what a chapter holds its tables against.

Of an experiment it is the scale ``slice``, or else ``quick``; of a sweep of language models it is
named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import pandas as pd

from experiments.reading.families import rerun, sweep_of
from specmup.analysis.agreement import Agreement, agrees_with
from specmup.analysis.rounding import Rounding
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


def slice_of(results: Results, where: str = "") -> Slice:
    """Make the slice of a stored result now, from the random streams that the result drew from.

    Rows that are not stored, as a grid that extends itself may have, are passed by.
    """
    name = results.manifest["name"]
    with drawn_from(results.streams):
        if name in OF_SWEEPS:
            rows = results.frame.query(OF_SWEEPS[name])
            rows = rows.query(where) if where else rows
            return Slice(rerun(rows, sweep_of(results.manifest)), list(SORT), ("loss",))
        experiment = import_module(f"experiments.{name.replace('-', '_')}").EXPERIMENT
        frame = experiment.run(experiment.slice).frame
    on = list(experiment.keys)
    frame = frame.astype(results.frame[on].dtypes.to_dict())
    stored = frame.merge(results.frame[on], on=on)
    return Slice(stored, on, experiment.compared)


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
    live = rounding.rows(slice_of(results, where).frame)
    return MadeAgain(agrees_with(live, results, value) for value in rounding.spread)
