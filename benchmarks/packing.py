"""A sweep of small GPTs: runs packed on the cores against the same runs one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.harness import Row, median_seconds, threads
from specmup.runs.pool import Pool
from specmup.sweeps.configuration import sweep_from
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.work import Executor, execute

VOCABULARY = 1024
SWEEP = {
    "name": "packing",
    "scale": "quick",
    "text": {"source": "random", "vocabulary": VOCABULARY},
    "model": {"context": 64, "head_dimension": 16},
    "base": {"width": 64, "depth": 2, "std": 0.02},
    "training": {"steps": 10, "batch_size": 16, "validation_windows": 16},
    "grid": [
        {
            "rules": ["k2"],
            "optimizers": ["adamw"],
            "widths": [64],
            "depths": [4],
            "log2_lr": [-9.0, -8.0, -7.0, -6.0],
        }
    ],
}
TARGET = 1.1


def packed_and_single() -> list[Row]:
    """Two rows: against one run at a time on all cores, and on one of them.

    Workers are started before the clock is: a sweep of hours starts them once.

    Raises:
        RuntimeError: If packed runs end elsewhere than single ones on one thread.
    """
    runs = requested_runs(sweep_from(SWEEP), {})
    cores, losses = os.cpu_count(), {}

    def one_by_one(count: int) -> None:
        # Executor sets one thread for itself, as workers must; here the number is the question.
        with threads(count):
            losses[count] = [execute(run, text_folder=folder)["loss"] for run in runs]

    with _random_text() as folder, Pool(Executor(text_folder=folder), cores) as pool:
        _packed(pool, runs[:cores])
        seconds = median_seconds(
            {
                "packed": lambda: losses.update(packed=_packed(pool, runs)),
                "all": lambda: one_by_one(cores),
                "one": lambda: one_by_one(1),
            },
            repeats=3,
            warm_up=0,
        )
    if losses["packed"] != losses[1]:
        raise RuntimeError(f"packed runs end at {losses['packed']}, single ones at {losses[1]}")
    return [
        Row(
            name=f"packing {len(runs)} GPTs",
            compared=f"{cores} workers of one thread : one after another on {on}",
            ratio=seconds[key] / seconds["packed"],
            note=f"{seconds['packed']:.1f} s : {seconds[key]:.1f} s, the same losses",
            target=target,
        )
        for key, on, target in (("all", f"{cores} threads", TARGET), ("one", "one thread", None))
    ]


@contextmanager
def _random_text() -> Iterator[Path]:
    """A folder of token files; what they say makes no difference to the time."""
    with TemporaryDirectory() as name:
        tokens = np.random.default_rng(0).integers(VOCABULARY, size=100_000).astype("<u2")
        tokens[:90_000].tofile(Path(name, "train.bin"))
        tokens[90_000:].tofile(Path(name, "val.bin"))
        yield Path(name)


def _packed(pool: Pool, runs: list[Run]) -> list[float]:
    """Losses of the runs, in their order."""
    waiting, found = list(runs), {}
    while len(found) < len(runs):
        while waiting and pool.has_room:
            pool.submit(waiting.pop(0))
        for one in pool.next():
            if one.error is not None:
                raise one.error
            found[one.job.identity] = one.value["result"]["loss"]
    return [found[run.identity] for run in runs]


PARTS = {"4 GPTs": packed_and_single}
