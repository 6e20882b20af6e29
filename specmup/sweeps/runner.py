"""Running a sweep: as many runs side by side as there are workers."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from specmup.data.fingerprint import fingerprint
from specmup.runs.files import FULL
from specmup.runs.pool import Finished, Pool
from specmup.runs.progress import duration, progress_bar
from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.estimate import CostModel, memory, remaining_seconds
from specmup.sweeps.growth import wanted
from specmup.sweeps.run import Run
from specmup.sweeps.store import DiskFull, Kept, Record, Store
from specmup.sweeps.work import CHECKPOINT_EVERY, Where, text_of_run

MEMORY_PART = 0.8  # of the machine's or the GPUs', that runs in flight may take by estimate
REFRESH = 5.0  # seconds between two looks at the clock


@dataclass
class Report:
    """What came of running a sweep.

    Attributes:
        finished: Runs finished now.
        found: Runs that had been finished before.
        failed: Runs that could not be carried out, with the reason.
        corrupt: New names of records that could not be read.
    """

    finished: int = 0
    found: int = 0
    failed: list[tuple[Run, BaseException]] = field(default_factory=list)
    corrupt: list[Path] = field(default_factory=list)


def run_sweep(
    sweep: Sweep,
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    text_folder: Path | None = None,
    make_pool: Callable[[Where, int], AbstractContextManager] = Pool,
) -> Report:
    """Carry out every run that a sweep wants and the store lacks.

    Args:
        sweep: What to run.
        store: Where records are kept; held alone meanwhile.
        workers: Runs side by side; the number of cores on a CPU, of GPUs on CUDA by default.
        device: ``cpu`` or ``cuda``.
        text_folder: Of token files, for a text that is not built in.
        make_pool: Makes what carries out the runs.

    Raises:
        SweepError: If another process holds the store, or its runs are of another text.
        DiskFull: If there is no room for a record; runs in flight were still waited for.
        ValueError: If there is no such device, or the text is missing or does not fit.
    """
    workers = _workers(workers, device)
    where = Where(device, text_folder, store.folder)
    for run in wanted(sweep, {}):  # a text is made ready, or missed, before any worker needs it
        text = text_of_run(run, text_folder)
    with store.locked():
        kept = store.read()
        text_of_records(finished_and_missing(sweep, kept)[0], now=fingerprint(text))
        report = Report(corrupt=[store.set_aside(path) for path in kept.corrupt])
        with make_pool(where, workers) as pool:
            _Session(sweep, store, kept, report, pool, workers, device).run()
    return report


class _Session:
    """The state of a sweep that is being run."""

    def __init__(
        self,
        sweep: Sweep,
        store: Store,
        kept: Kept,
        report: Report,
        pool: Pool,
        workers: int,
        device: str,
    ) -> None:
        self.sweep, self.store, self.report, self.pool = sweep, store, report, pool
        self.workers = workers
        self.room = MEMORY_PART * (gpu_memory() if device == "cuda" else machine_memory())
        self.records = dict(kept.records)
        self.wanted: list[Run] = []
        self.begun: dict[str, tuple[Run, float]] = {}  # when each run in flight was begun
        self.given_up: set[str] = set()
        self.full: DiskFull | None = None

    def run(self) -> None:
        """Until nothing is wanted any more."""
        missing = self._missing()
        self.report.found = len(self.wanted) - len(missing)
        style = "{desc}: {n}/{total} runs |{bar}| {elapsed} gone{postfix}"
        with progress_bar(
            total=len(self.wanted),
            initial=self.report.found,
            desc=self.sweep.name,
            bar_format=style,
        ) as bar:
            while missing or self.begun:
                self._begin(missing)
                self._show(bar, missing)
                finished = self.pool.next(timeout=REFRESH)
                for one in finished:
                    self._take(one)
                if finished:
                    missing = [] if self.full else self._missing()
            self._show(bar, missing)
        if self.full:
            raise self.full

    def _missing(self) -> list[Run]:
        """Runs to begin, in that order."""
        losses = {identity: record.loss for identity, record in self.records.items()}
        self.wanted = wanted(self.sweep, losses)
        return [run for run in self.wanted if not self._is_settled(run.identity)]

    def _is_settled(self, identity: str) -> bool:
        return identity in self.records or identity in self.begun or identity in self.given_up

    def _begin(self, missing: list[Run]) -> None:
        """Begin runs while there are workers and memory for them."""
        room = self.room - sum(memory(run) for run, _ in self.begun.values())
        while missing and self.pool.has_room:
            fits = (run for run in missing if memory(run) <= room or not self.begun)
            if (run := next(fits, None)) is None:
                return
            missing.remove(run)
            room -= memory(run)
            self.begun[run.identity] = run, time.monotonic()
            self.pool.submit(run)

    def _take(self, one: Finished) -> None:
        """Keep what came back."""
        run, _ = self.begun.pop(one.job.identity)
        try:
            if one.error is not None:
                raise one.error
            self.store.write(Record(run, **one.value))
        except DiskFull as problem:
            self.full = problem
        except Exception as problem:
            if getattr(problem, "errno", None) in FULL:
                text = f"no space left in {self.store.folder} for a checkpoint: free some and "
                self.full = DiskFull(text + "give the same command again; every record is kept")
            self.given_up.add(run.identity)
            self.report.failed.append((run, problem))
            return
        self.records[run.identity] = Record(run, **one.value)
        self.report.finished += 1
        self.store.checkpoint(run, CHECKPOINT_EVERY).discard()

    def _show(self, bar: tqdm, missing: Sequence[Run]) -> None:
        bar.total = len(self.wanted)
        bar.n = self.report.found + self.report.finished
        model = CostModel.fitted(self.records.values())
        left = "time unknown before a run is finished"
        if model is not None:
            now = time.monotonic()
            flight = [(run, now - since) for run, since in self.begun.values()]
            left = f"about {duration(_left(model, missing, flight, self.workers))} left"
        diverged = sum(math.isinf(record.loss) for record in self.records.values())
        failed = f", {len(self.report.failed)} failed" if self.report.failed else ""
        bar.set_postfix_str(f"{left}; {len(self.begun)} in flight, {diverged} diverged{failed}")


def _left(
    model: CostModel, missing: Sequence[Run], flight: Sequence[tuple[Run, float]], workers: int
) -> float:
    """Seconds until all is done; extensions of grids are not foreseen."""
    rests = [max(0.0, model.seconds(run) - gone) for run, gone in flight]
    return max(remaining_seconds(model, missing, workers) + sum(rests) / workers, *rests, 0.0)


def machine_memory() -> float:
    """Bytes of memory that the machine has."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def gpu_memory() -> float:
    """Bytes of memory that all GPUs have together; each takes its share of the workers."""
    count = torch.cuda.device_count()
    return float(sum(torch.cuda.get_device_properties(i).total_memory for i in range(count)))


def _workers(asked: int | None, device: str) -> int:
    if device not in ("cpu", "cuda"):
        raise ValueError(f"unknown device {device!r}: give cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device: take --device cpu")
    if asked is not None:
        return asked
    if device == "cuda":
        return torch.cuda.device_count()
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
