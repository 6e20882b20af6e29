"""What an engine adds to a job: jobs that do nothing, each kept in a store as any other."""

from __future__ import annotations

import time
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from benchmarks.harness import Row
from specmup.extras import MissingExtra
from specmup.runs.job import Job
from specmup.runs.pool import Pool, SerialPool
from specmup.runs.ray_pool import Needs, connected
from specmup.runs.runner import Runner
from specmup.runs.store import Store

JOBS, WORKERS = 200, 2
MOST = 0.5  # seconds a job that is promised


def nothing(job: Job, worker: int) -> dict:
    """What a record keeps of a job that does nothing."""
    return {"result": {"seconds": 0.0}, "origin": {}}


def seconds_a_job(make_pool) -> float:
    """From one finished job to the next, once every worker has had one."""
    ends: list[float] = []

    class Noting(Store):
        def write(self, record) -> None:
            super().write(record)
            ends.append(time.perf_counter())

    with TemporaryDirectory() as folder:
        jobs = [Job("benchmarks.nothing", 1, {"number": number}) for number in range(JOBS)]
        outcome = Runner("engine", lambda records: jobs, WORKERS, Noting(folder)).run(
            nothing, make_pool
        )
    if outcome.finished != JOBS:
        raise RuntimeError(f"{outcome.finished} of {JOBS} jobs were finished: {outcome.failed[:1]}")
    return (ends[-1] - ends[4 * WORKERS]) / (JOBS - 4 * WORKERS - 1)


def overheads() -> list[Row]:
    """A row an engine: how often what it adds goes into what is promised."""
    with ExitStack() as stack:
        engines = {"in this process": SerialPool, f"{WORKERS} processes": Pool}
        try:
            cluster = stack.enter_context(connected())
            engines[f"Ray, {WORKERS} workers"] = cluster.pool(Needs(), WORKERS)
        except MissingExtra as problem:
            print(f"without Ray: {problem}")
        found = {name: seconds_a_job(make_pool) for name, make_pool in engines.items()}
    return [
        Row(
            name="a job that does nothing",
            compared=f"{name} : {MOST} s",
            ratio=MOST / seconds,
            note=f"{1e3 * seconds:.1f} ms a job, record and all",
            target=1.0,
        )
        for name, seconds in found.items()
    ]


PARTS = {"overhead a job": overheads}
