"""Long experiments in pieces: a finished piece is kept, so a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from specmup.runs.pool import Pool
from specmup.runs.progress import progress_bar
from specmup.streams import version

SECONDS = "piece_seconds"
_workers = 1  # pieces at a time, see side_by_side


class Pieces(NamedTuple):
    """All pieces' rows, and the seconds that each took, added up, in however many sittings."""

    frame: pd.DataFrame
    seconds: float


@contextmanager
def side_by_side(workers: int) -> Iterator[None]:
    """Within, :func:`run_pieces` makes so many pieces at a time, each on a thread of its own.

    Raises:
        ValueError: If the number is below 1.
    """
    global _workers
    if workers < 1:
        raise ValueError(f"workers is {workers}: give at least 1")
    before, _workers = _workers, workers
    try:
        yield
    finally:
        _workers = before


def run_pieces(
    work: Callable[..., pd.DataFrame],
    jobs: Sequence[Mapping],
    *,
    folder: Path | None = None,
) -> Pieces:
    """Run ``work(**job)`` for every job and put the frames together, in the order of the jobs.

    Args:
        work: Makes one piece; a function at the top of its module.
        jobs: One mapping of plain values a piece.
        folder: Where finished pieces are kept, named by a hash of the job, of the version of the
            random streams and of the source of the module that holds ``work``. Pieces found there
            are not run again. None keeps none.

    Raises:
        ValueError: If there is no job.
    """
    if not jobs:
        raise ValueError(f"{work.__module__}: no jobs to run: the grid has an empty axis")
    kept = [folder and folder / f"{_identity(work, job)}.csv" for job in jobs]
    frames = {i: pd.read_csv(path) for i, path in enumerate(kept) if path and path.exists()}
    rest = {i: job for i, job in enumerate(jobs) if i not in frames}
    name = work.__module__.rpartition(".")[2]
    with progress_bar(total=len(jobs), initial=len(frames), desc=name, unit="piece") as bar:
        for i, frame in _made(work, rest):
            if kept[i]:
                _write_atomically(frame, kept[i])
            frames[i] = frame
            bar.update()
    ordered = [frames[i] for i in range(len(jobs))]
    seconds = sum(float(frame[SECONDS].iloc[0]) for frame in ordered)
    return Pieces(pd.concat(ordered, ignore_index=True).drop(columns=SECONDS), seconds)


def _made(work: Callable, jobs: Mapping[int, Mapping]) -> Iterator[tuple[int, pd.DataFrame]]:
    """The missing pieces with their numbers, as they are finished."""
    if _workers == 1:
        yield from ((i, _timed(work, job)) for i, job in jobs.items())
        return
    waiting, in_flight, problem = list(jobs.items()), 0, None
    with Pool(_OneThread(work), _workers) as pool:
        while in_flight or (waiting and problem is None):
            while waiting and pool.has_room and problem is None:
                pool.submit(waiting.pop(0))
                in_flight += 1
            for done in pool.next():
                in_flight -= 1
                if done.error is None:
                    yield done.job[0], done.value
                problem = problem or done.error
    if problem is not None:  # not before the pieces beside it are kept
        raise problem


def _timed(work: Callable, job: Mapping) -> pd.DataFrame:
    start = time.monotonic()
    frame = work(**job)
    return frame.assign(**{SECONDS: time.monotonic() - start})


@dataclass(frozen=True)
class _OneThread:
    """What a worker process does with a numbered job."""

    work: Callable

    def __call__(self, job: tuple[int, Mapping], worker: int) -> pd.DataFrame:
        torch.set_num_threads(1)
        return _timed(self.work, job[1])


def _identity(work: Callable, job: Mapping) -> str:
    source = Path(sys.modules[work.__module__].__file__).read_bytes()
    stated = json.dumps([job, version()], sort_keys=True, default=list).encode()
    return hashlib.sha256(source + stated).hexdigest()[:20]


def _write_atomically(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_csv(partial, index=False)
    partial.replace(path)
