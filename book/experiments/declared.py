"""Experiments are declared: a function that makes the rows of one point, and its axes by scale.

The jobs of a scale are the product over its axes, the last one running fastest::

    {"optimizer": "sgd", "width, depth": [(64, 2), (32, 8)], "seeds": Constant([0, 1])}

A list is an axis; all else is the same for every job, and so is a list that is marked
:class:`Constant`. Options that vary together share an axis. Where a scale is a list of such cases,
their jobs follow one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.runs.ray_pool import RayCluster

Axes = Mapping[str, Any]
Job = dict[str, Any]


@dataclass(frozen=True)
class Constant:
    """A list that every job gets whole, such as one of seeds."""

    value: Sequence


@dataclass(frozen=True)
class Experiment:
    """What is run, and how its rows are told apart.

    Args:
        point: Makes the rows of one job; a function at the top of its module, called by keyword.
        version: Of the rows: raised when the same job comes to give others.
        keys: The columns that tell rows apart.
        scales: Axes, or a list of cases with axes of their own, by scale: ``quick``,
            ``reference``, and ``slice`` where chapters do not make ``quick`` again.
        compared: The measured columns by which a slice that is made again is compared.
        smallest_first: Make jobs in the order of width² · depth, not of the axes.
        rounded: Keep four significant digits.
    """

    point: Callable[..., pd.DataFrame]
    version: int
    keys: Sequence[str]
    scales: Mapping[str, Axes | Sequence[Axes]]
    compared: Sequence[str] = ("loss",)
    smallest_first: bool = False
    rounded: bool = False

    @property
    def slice(self) -> str:
        """The scale that chapters make again."""
        return "slice" if "slice" in self.scales else "quick"

    def jobs(self, scale: str) -> list[Job]:
        """Options of every job of a scale; one that two cases ask for is there once."""
        found = [job for case in self._cases(scale) for job in _product(case)]
        found = list({repr(sorted(job.items())): job for job in found}.values())
        if self.smallest_first:
            found.sort(key=lambda job: job["width"] ** 2 * job["depth"])
        return found

    def run(
        self,
        scale: str,
        folder: Path | None = None,
        workers: int | None = 1,
        wanted: Callable[[Job], bool] | None = None,
        cluster: RayCluster | None = None,
    ) -> ExperimentResult:
        """The rows of a scale, see :func:`specmup.runs.experiment.run_experiment`.

        Args:
            scale: One of the experiment's.
            folder: Where finished pieces are kept.
            workers: Pieces at a time.
            wanted: Says which jobs to make; None makes all.
            cluster: Whose machines make them; this one if None.
        """
        jobs = [job for job in self.jobs(scale) if wanted is None or wanted(job)]
        made = run_experiment(
            self.point, jobs, self.version, folder=folder, workers=workers, cluster=cluster
        )
        return made.rounded() if self.rounded else made

    def described(self, scale: str) -> dict[str, Any]:
        """Version, and axes and constants of every case, for the manifest."""
        cases = []
        for case in self._cases(scale):
            axes = {name: value for name, value in case.items() if isinstance(value, list)}
            constants = {name: _value(v) for name, v in case.items() if name not in axes}
            cases.append({"axes": axes, "constants": constants})
        return {"version": self.version, "cases": cases}

    def _cases(self, scale: str) -> Sequence[Axes]:
        cases = self.scales[scale]
        return [cases] if isinstance(cases, Mapping) else cases


def sizes(
    base: tuple[int, int], widths: Sequence[int] = (), depths: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """(width, depth): widths at the base's depth, then depths at its width, each size once."""
    found = [(width, base[1]) for width in widths] + [(base[0], depth) for depth in depths]
    return list(dict.fromkeys(found))


def _product(case: Axes) -> Iterator[Job]:
    """The jobs of one case."""
    axes = [value if isinstance(value, list) else [_value(value)] for value in case.values()]
    for point in product(*axes):
        job: Job = {}
        for name, value in zip(case, point, strict=True):
            joint = ", " in name
            job |= zip(name.split(", "), value, strict=True) if joint else {name: value}
        yield job


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Constant) else value
