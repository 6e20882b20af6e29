"""Experiments in pieces: a finished piece is kept, so a stopped run goes on where it was."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from specmup.foreign import printable
from specmup.runs.job import Job, Record
from specmup.runs.manifest import made_on
from specmup.runs.pool import Pool, SerialPool, cores
from specmup.runs.ray_pool import Needs, RayCluster
from specmup.runs.results import save, significant
from specmup.runs.runner import Runner
from specmup.runs.store import Store


class ExperimentResult(NamedTuple):
    """The rows of some jobs, and the records that they were taken from."""

    frame: pd.DataFrame
    records: Sequence[Record]

    @property
    def seconds(self) -> float:
        """That the jobs took, added up, in however many sittings."""
        return sum(record.result["seconds"] for record in self.records)

    def rounded(self) -> ExperimentResult:
        """With floats of four significant digits, see :func:`specmup.runs.results.significant`."""
        return self._replace(frame=significant(self.frame))

    def save(
        self,
        name: str,
        *,
        scale: str,
        configuration: Mapping[str, Any],
        folder: str | Path | None = None,
    ) -> Path:
        """Write the table and its manifest, which also says on what devices the jobs were done.

        As :func:`specmup.runs.results.save`, which see.
        """
        devices = {
            f"{key}s": sorted({record.origin.get(key, "unknown") for record in self.records})
            for key in ("device", "instruction_set")
        }
        return save(
            self.frame,
            name,
            scale=scale,
            configuration={**configuration, **devices},
            wall_seconds=self.seconds,
            folder=folder,
        )


def run_experiment(
    work: Callable[..., pd.DataFrame],
    options: Sequence[Mapping[str, Any]],
    version: int,
    *,
    folder: Path | None = None,
    workers: int | None = 1,
    cluster: RayCluster | None = None,
) -> ExperimentResult:
    """Run ``work(**one)`` for every one of the options, and put the rows together in their order.

    Args:
        work: Makes one piece; a function at the top of its module.
        options: One mapping of plain values a piece.
        version: Of the work, see :class:`specmup.runs.job.Job`.
        folder: Where finished pieces are kept, which are not made again. None keeps none.
        workers: Pieces at a time: 1 makes them in this process, more in processes of one thread;
            None is one a core, or as many as the cluster has room for.
        cluster: Whose machines make them; this one if None.

    Raises:
        ValueError: If there are no options, or ``workers`` is below 1.
        RunError: If another process makes pieces in the folder, or the disk is full.
        Exception: Whatever the first piece that failed raised; all others were made and are kept.
    """
    if not options:
        raise ValueError(f"{work.__module__}: no jobs to run: the grid has an empty axis")
    jobs = [Job(f"{work.__module__}.{work.__qualname__}", version, one) for one in options]
    name = work.__module__.rpartition(".")[2]
    store = Store(folder, check=_check_piece) if folder else None
    make_pool: Callable[..., Any]
    if cluster:
        make_pool, workers = cluster.pool(Needs(), workers), workers or cluster.workers(Needs())
    else:
        workers = cores() if workers is None else workers
        make_pool = SerialPool if workers == 1 else Pool
    runner = Runner(name, lambda records: jobs, workers, store)
    outcome = runner.run(_Piece(work), make_pool)
    for path in outcome.corrupt:
        lost = printable(str(path))
        warnings.warn(f"{lost} cannot be read: its piece was made again", stacklevel=2)
    if outcome.failed:
        _, problem = outcome.failed[0]
        problem.add_note(f"{len(outcome.failed)} of {len(jobs)} pieces failed; the others are made")
        raise problem
    records = [outcome.records[job.identity] for job in jobs]
    frames = [pd.DataFrame(record.result["rows"]) for record in records]
    return ExperimentResult(pd.concat(frames, ignore_index=True), records)


def _check_piece(record: Record) -> None:
    """Refuse what no piece can have left, by what rows, seconds and origin raise or are not."""
    pd.DataFrame({str(name): list(column) for name, column in record.result["rows"].items()})
    if not 0 <= record.result["seconds"] < float("inf"):
        raise ValueError("its seconds are no time")
    if not all(isinstance(value, str) for value in record.origin.values()):
        raise ValueError("its origin is not in words")


@dataclass(frozen=True)
class _Piece:
    """What is done with a job: its rows by column, and the seconds that they took."""

    work: Callable[..., pd.DataFrame]

    def __call__(self, job: Job, worker: int) -> dict[str, Any]:
        start = time.monotonic()
        rows = self.work(**job.options).to_dict("list")
        return {
            "result": {"rows": rows, "seconds": time.monotonic() - start},
            "origin": made_on("cpu"),
        }
