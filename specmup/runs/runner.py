"""Jobs carried out side by side, each kept when it is done, until no more are requested."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from specmup.runs.job import Identified, Record
from specmup.runs.pool import Finished, Pool
from specmup.runs.progress import progress_bar
from specmup.runs.store import RunError, Store, StoreContents

REFRESH = 5.0  # seconds between two looks at the clock
J = TypeVar("J", bound=Identified)


@dataclass
class RunOutcome(Generic[J]):
    """What came of running a grid of jobs.

    Attributes:
        finished: Jobs finished now.
        found: Jobs that had been finished before.
        failed: Jobs that could not be carried out, with the reason.
        corrupt: New names of records that could not be read.
        records: All that there are now, by identity.
    """

    finished: int = 0
    found: int = 0
    failed: list[tuple[J, BaseException]] = field(default_factory=list)
    corrupt: list[Path] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)


@dataclass
class Runner(Generic[J]):
    """What is to be run, where it is kept, and how far it is.

    Args:
        name: Of the grid, for the progress bar.
        requested: The jobs to carry out, in the order in which to begin them, given the records
            that there are; asked again whenever one is finished, so a grid may grow.
        workers: Jobs side by side.
        store: Where records are kept, held alone meanwhile; None keeps none.
        check: Called with what the store holds before anything is run; raises to refuse it.
        memory: Bytes that a job takes.
        memory_budget: Bytes that all jobs in flight may take; a larger one runs alone.
        outlook: Words for the progress bar, given this runner; its pace if there are none.

    Attributes:
        outcome: What has come of it so far.
        missing: Jobs that are still to be begun.
        in_flight: Those that were, with the time of it, by identity.
    """

    name: str
    requested: Callable[[Mapping[str, Record]], Sequence[J]]
    workers: int
    store: Store | None = None
    check: Callable[[StoreContents], Any] = lambda contents: None
    memory: Callable[[J], float] = lambda job: 0.0
    memory_budget: float = math.inf
    outlook: Callable[[Runner[J]], str] | None = None
    outcome: RunOutcome[J] = field(default_factory=RunOutcome, init=False)
    missing: list[J] = field(default_factory=list, init=False)
    in_flight: dict[str, tuple[J, float]] = field(default_factory=dict, init=False)

    def run(
        self,
        execute: Callable[[J, int], Mapping[str, Any]],
        make_pool: Callable[..., AbstractContextManager] = Pool,
    ) -> RunOutcome[J]:
        """Carry out every job that is requested and has no record.

        A job that fails does not stop the others. A record or a job's state that cannot be written
        lets no more begin: they would be lost as well.

        Args:
            execute: Given a job and the number of a worker, its record's ``result`` and ``origin``.
            make_pool: Given ``execute`` and the number of workers, what carries out the jobs.

        Raises:
            RunError: If another process holds the store, or a record cannot be written.
            DiskFull: If there is no room for a record; jobs in flight were still waited for.
        """
        with self.store.locked() if self.store else nullcontext():
            if self.store:
                contents = self.store.read()
                self.check(contents)
                self.outcome.records |= contents.records
                self.outcome.corrupt += map(self.store.set_aside, contents.corrupt)
            with make_pool(execute, self.workers) as pool:
                self._run_all(pool)
        return self.outcome

    def _run_all(self, pool: Pool) -> None:
        unwritable = None
        total = self._find_missing()
        self.outcome.found = total - len(self.missing)
        left = "{postfix}" if self.outlook else ", {remaining} left"
        style = "{desc}: {n}/{total} |{bar}| {elapsed} gone" + left
        found = self.outcome.found
        with progress_bar(total=total, initial=found, desc=self.name, bar_format=style) as bar:
            while self.missing or self.in_flight:
                self._begin(pool)
                self._show(bar)
                finished = pool.next(timeout=REFRESH)
                for one in finished:
                    unwritable = self._keep(one) or unwritable
                if unwritable:
                    self.missing = []
                elif finished:
                    bar.total = self._find_missing()
            self._show(bar)
        if unwritable:
            raise unwritable

    def _find_missing(self) -> int:
        """Note which jobs are to be begun; return how many are requested altogether."""
        requested = {job.identity: job for job in self.requested(self.outcome.records)}
        settled = {job.identity for job, _ in self.outcome.failed}
        settled |= self.outcome.records.keys() | self.in_flight.keys()
        self.missing = [job for name, job in requested.items() if name not in settled]
        return len(requested)

    def _begin(self, pool: Pool) -> None:
        """Begin jobs while there are workers and memory for them."""
        room = self.memory_budget - sum(self.memory(job) for job, _ in self.in_flight.values())
        while self.missing and pool.has_room:
            fits = (job for job in self.missing if self.memory(job) <= room or not self.in_flight)
            if (job := next(fits, None)) is None:
                return
            self.missing.remove(job)
            room -= self.memory(job)
            self.in_flight[job.identity] = job, time.monotonic()
            pool.submit(job)

    def _keep(self, one: Finished) -> RunError | None:
        """Keep what came back; return what to raise in the end if nothing can be written now."""
        job = one.job
        self.in_flight.pop(job.identity)
        if one.error is not None:  # also a RunError: it says nothing of the store, but for the job
            return self._failed(job, one.error)
        try:
            record = Record(job, **one.value)
            if self.store:
                self.store.write(record)
        except RunError as problem:
            return problem
        except Exception as problem:
            return self._failed(job, problem)
        self.outcome.records[job.identity] = record
        self.outcome.finished += 1
        return None

    def _failed(self, job: J, problem: Exception) -> RunError | None:
        """Note why a job failed; return what to raise in the end if its state cannot be written."""
        self.outcome.failed.append((job, problem))
        if self.store is None:
            return None
        self.store.failures.note(job, problem)
        return self.store.refusal(problem)

    def _show(self, bar: tqdm) -> None:
        bar.n = self.outcome.found + self.outcome.finished
        bar.set_postfix_str(self.outlook(self) if self.outlook else "")
