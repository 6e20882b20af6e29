"""What the system refuses a folder of runs, in one sentence: why, what is left, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from specmup.runs.files import FULL

UNCHANGED = "nothing was changed"
KEPT = "every finished run is kept"
LOST = "the run that had just finished is lost, all others are kept"
LOST_IN_FLIGHT = "a run in flight is lost, all finished ones are kept"


class RunError(ValueError):
    """A grid of jobs cannot go on; the message says what is kept and what to do."""


class DiskFull(RunError):
    """The disk is full; what was to be written is kept if the reserve had room for it."""


@contextmanager
def answered(folder: Path, left: str) -> Iterator[None]:
    """Say in one sentence what the system refuses.

    Args:
        folder: Of runs, which is used in the block.
        left: What is left if it is refused.

    Raises:
        RunError: In place of an ``OSError``; :class:`DiskFull` where there is no room.
    """
    try:
        yield
    except OSError as problem:
        raise refused(folder, problem, left) from problem


def refused(folder: Path, problem: OSError, left: str) -> RunError:
    """The error that says so."""
    if problem.errno in FULL:
        return DiskFull(
            f"no space left in {folder}; {left}: free some and give the same command again"
        )
    return RunError(
        f"{folder} cannot be used ({problem.strerror}); {left}: see to its rights and its disk, "
        "and give the same command again"
    )
