"""Running a sweep: as many runs side by side as there are workers, and as memory holds."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from specmup.data.fingerprint import fingerprint
from specmup.runs.job import Record
from specmup.runs.pool import Pool, cores
from specmup.runs.progress import duration
from specmup.runs.ray_pool import Needs, RayCluster
from specmup.runs.runner import Runner, RunOutcome
from specmup.runs.store import Store, StoreContents
from specmup.sweeps.collect import finished_and_missing, losses
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.estimate import CostModel, memory, remaining_seconds
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.parts import Part, records_elsewhere
from specmup.sweeps.run import Run
from specmup.sweeps.work import Executor, text_of_run

DEVICES = ("cpu", "cuda")
MEMORY_PART = 0.8  # of the machine's or the GPUs', that runs in flight may take by estimate


def run_sweep(
    sweep: Sweep,
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    text_folder: Path | None = None,
    part: Part | None = None,
    cluster: RayCluster | None = None,
    make_pool: Callable[[Executor, int], AbstractContextManager] = Pool,
) -> RunOutcome[Run]:
    """Carry out every run that a sweep asks for and the store lacks.

    Args:
        sweep: What to run.
        store: Where records are kept; held alone meanwhile, unless a part with a store of its own
            is run.
        workers: Runs side by side; the number of cores on a CPU, of GPUs on CUDA by default.
        device: ``cpu`` or ``cuda``.
        text_folder: Of token files, for a text that is not built in.
        part: Which share of the runs to carry out; all if None.
        cluster: Whose machines carry them out; this one if None.
        make_pool: Makes what carries out the runs here.

    Raises:
        RunError: If another process holds the store, or its runs are of another text.
        DiskFull: If there is no room for a record; runs in flight were still waited for.
        ValueError: If there is no such device, or the text is missing or does not fit.
    """
    refuse_device(device, here=cluster is None)
    if cluster is None:
        workers, budget = _workers(workers, device), memory_budget(device)
    else:  # which knows the memory of its machines
        needs = Needs(memory=memory) if device == "cpu" else Needs(gpus=1)
        make_pool = cluster.pool(needs, workers)
        workers, budget = workers or cluster.workers(needs), math.inf
    for run in requested_runs(sweep, {}):  # a text is made ready, or missed, before it is needed
        text = text_of_run(run, text_folder)
    own = part.store(store) if part else store
    elsewhere = records_elsewhere(store, own) if part else {}
    owns = part.owner(sweep) if part else lambda run: True

    def requested(records: Mapping[str, Record]) -> Sequence[Run]:
        runs = requested_runs(sweep, losses({**elsewhere, **records}))
        return [run for run in runs if run.identity not in elsewhere and owns(run)]

    def check(contents: StoreContents) -> None:
        known = StoreContents({**elsewhere, **contents.records})
        text_of_records(finished_and_missing(sweep, known)[0], now=fingerprint(text))

    runner = Runner(
        sweep.name,
        requested,
        workers,
        own,
        check=check,
        memory=memory,
        memory_budget=budget,
        outlook=_outlook,
    )
    folders = (folder and folder.absolute() for folder in (text_folder, own.folder))
    return runner.run(Executor(device, *folders), make_pool)


def _outlook(runner: Runner[Run]) -> str:
    """How long it may take still, extensions of grids not foreseen, and what has gone wrong."""
    records, left = runner.outcome.records.values(), "time unknown before a run is finished"
    if (model := CostModel.fitted(records)) is not None:
        now = time.monotonic()
        rests = [max(0.0, model.seconds(r) - now + begun) for r, begun in runner.in_flight.values()]
        others = remaining_seconds(model, runner.missing, runner.workers)
        seconds = max(others + sum(rests) / runner.workers, *rests, 0.0)
        left = f"about {duration(seconds)} left"
    diverged = sum(map(math.isinf, losses(runner.outcome.records).values()))
    failed = f", {len(runner.outcome.failed)} failed" if runner.outcome.failed else ""
    return f"{left}; {len(runner.in_flight)} in flight, {diverged} diverged{failed}"


def memory_budget(device: str) -> float:
    """Bytes that runs in flight may take by estimate."""
    return MEMORY_PART * (gpu_memory() if device == "cuda" else machine_memory())


def machine_memory() -> float:
    """Bytes of memory that the machine has; infinite where the system does not say (Windows)."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def gpu_memory() -> float:
    """Bytes of memory that all GPUs have together; each takes its share of the workers."""
    count = torch.cuda.device_count()
    return float(sum(torch.cuda.get_device_properties(i).total_memory for i in range(count)))


def refuse_device(device: str, *, here: bool = True) -> None:
    """Refuse a device that nobody knows or, for what is carried out here, that is not here.

    Raises:
        ValueError: If it is such a one.
    """
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}: give cpu or cuda")
    if here and device == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device: take --device cpu")


def _workers(asked: int | None, device: str) -> int:
    if asked is not None:
        return asked
    return torch.cuda.device_count() if device == "cuda" else cores()
