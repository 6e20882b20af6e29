"""Long experiments in pieces: a finished piece is kept, so a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from specmup.lab.progress import progress_bar

SECONDS = "piece_seconds"


class Pieces(NamedTuple):
    """All pieces' rows, and the seconds that it took to make them, in however many sittings."""

    frame: pd.DataFrame
    seconds: float


def run_pieces(
    work: Callable[..., pd.DataFrame],
    jobs: Sequence[Mapping],
    *,
    folder: Path | None = None,
) -> Pieces:
    """Run ``work(**job)`` for every job and put the frames together.

    Args:
        work: Makes one piece; a function at the top of its module.
        jobs: One mapping of plain values a piece.
        folder: Where finished pieces are kept, named by a hash of the job and of the source of
            the module that holds ``work``. Pieces found there are not run again. None keeps none.

    Raises:
        ValueError: If there is no job.
    """
    if not jobs:
        raise ValueError(f"{work.__module__}: no jobs to run: the grid has an empty axis")
    frames, seconds = [], 0.0
    for job in progress_bar(jobs, desc=work.__module__.rpartition(".")[2], unit="piece"):
        kept = None if folder is None else folder / f"{_identity(work, job)}.csv"
        if kept is not None and kept.exists():
            frame = pd.read_csv(kept)
        else:
            start = time.monotonic()
            frame = work(**job)
            frame = frame.assign(**{SECONDS: time.monotonic() - start})
            if kept is not None:
                _write_atomically(frame, kept)
        seconds += float(frame[SECONDS].iloc[0])
        frames.append(frame.drop(columns=SECONDS))
    return Pieces(pd.concat(frames, ignore_index=True), seconds)


def _identity(work: Callable, job: Mapping) -> str:
    source = Path(sys.modules[work.__module__].__file__).read_bytes()
    stated = json.dumps(job, sort_keys=True, default=list).encode()
    return hashlib.sha256(source + stated).hexdigest()[:20]


def _write_atomically(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_csv(partial, index=False)
    partial.replace(path)
