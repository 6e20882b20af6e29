"""The folder in which finished jobs are kept: one file a job, written whole or not at all.

runs/IDENTITY.json          a finished job: its description, what came of it, a checksum
checkpoints/IDENTITY.pt     the state of a job in flight, if its task keeps one
failed/IDENTITY.txt         why a job could not be carried out when it was last tried
lock                        held while somebody writes here; the system frees it with its holder
holder                      the number of the process that holds it, or last did
reserve                     room for the jobs in flight when the disk is full
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from specmup.foreign import in_one_line
from specmup.runs.failures import Failures
from specmup.runs.file_system import locking, refuse_folder, refuse_locks, refuse_rename
from specmup.runs.files import FULL, UNREADABLE, content_of, left_behind, write_whole
from specmup.runs.job import Identified, Job, Record
from specmup.runs.record_file import decoded, encoded
from specmup.runs.refusals import (
    KEPT,
    LOST,
    LOST_IN_FLIGHT,
    UNCHANGED,
    RunError,
    answered,
    refused,
)

RESERVE = 1 << 20
GLANCE = 0.5  # seconds in which whoever only asks who holds a folder has let go of it again


@dataclass(frozen=True)
class StoreContents:
    """What a folder holds.

    Args:
        records: By identity.
        corrupt: Files that are no records, or not what they were when written, each with what is
            wrong with it.
    """

    records: Mapping[str, Record]
    corrupt: Mapping[Path, str] = field(default_factory=dict)


class Store:
    """Records and checkpoints in a folder.

    Args:
        folder: Made when something is first written.
        kind: Of the jobs; a dataclass whose fields are what a record says of its job.
        check: Refuses a record that nobody here can have written, with a ``ValueError``.
    """

    def __init__(
        self,
        folder: str | Path,
        kind: type = Job,
        check: Callable[[Record], object] = lambda record: None,
    ) -> None:
        """Nothing is read or written yet."""
        self.folder, self.kind, self.check = Path(folder), kind, check
        self.runs = self.folder / "runs"
        self.failures = Failures(self.folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone; the system frees it however its holder ends.

        Raises:
            RunError: If another process holds it, a link inside leads out of it, the system does
                not let it be read or written, or its file system gives not what a store needs.
            DiskFull: If there is no room for the reserve.
        """
        with answered(self.folder, UNCHANGED):
            self._refuse_links()
            self.runs.mkdir(parents=True, exist_ok=True)
            refuse_folder(self.folder)
            lock = self._lock
            try:
                with locking(self.folder):
                    lock.acquire(timeout=GLANCE)
            except Timeout:
                raise RunError(
                    f"{self.folder} is in use by process {self._last_holder()}: wait for it or "
                    "stop it; nothing was changed"
                ) from None
        try:
            with answered(self.folder, UNCHANGED):
                refuse_locks(self.folder / "lock")
                self._tidy()
                refuse_rename(self.folder / "holder", str(os.getpid()).encode())
                self._refill()
            yield
        finally:
            with answered(self.folder, KEPT):
                lock.release()

    def holder(self) -> str | None:
        """The process that holds the folder; None if none does, or this one may not ask."""
        if not (self.folder / "lock").exists():
            return None
        try:
            with self._lock:
                return None
        except Timeout:
            return self._last_holder()
        except OSError:  # as in a folder that is read-only
            return None

    def since_last(self) -> float | None:
        """Seconds since a record was last written; None if there is none."""
        with answered(self.folder, UNCHANGED):
            written = [path.lstat().st_mtime for path in self._paths()]
        return max(0.0, time.time() - max(written)) if written else None

    def read(self) -> StoreContents:
        """All that is kept; nothing is changed.

        Raises:
            RunError: If a link inside leads out of the folder, or the system does not let it be
                read: what cannot be read now is not taken for missing.
        """
        records: dict[str, Record] = {}
        corrupt: dict[Path, str] = {}
        with answered(self.folder, UNCHANGED):
            self._refuse_links()
            for path in self._paths():
                try:
                    record = decoded(content_of(path), path.stem, self.kind)
                    self.check(record)
                except FileNotFoundError:
                    continue  # set aside since by the process that holds the folder
                except UNREADABLE as problem:
                    corrupt[path] = in_one_line(problem)
                else:
                    records[path.stem] = record
        return StoreContents(records, corrupt)

    def set_aside(self, path: Path) -> Path:
        """Rename a corrupt record, so that its job is done again and the file is not lost.

        Raises:
            RunError: If the system does not let it be renamed.
        """
        number = 1
        with answered(self.folder, KEPT):
            while (aside := path.with_suffix(f".corrupt-{number}")).exists():
                number += 1
            path.rename(aside)
        return aside

    def write(self, record: Record) -> None:
        """Keep a finished job, whose checkpoint is needed no more.

        Raises:
            DiskFull: If there is no room. The reserve is then given up, and if that was enough, the
                record has been kept.
            RunError: If it cannot be written for another reason.
            TypeError: If the result holds what JSON does not know.
        """
        path, content = self.runs / f"{record.job.identity}.json", encoded(record)
        with answered(self.folder, LOST):
            try:
                write_whole(path, content)
            except OSError as problem:
                if full := problem.errno in FULL:
                    (self.folder / "reserve").unlink(missing_ok=True)
                # In the room of the reserve, or where a disk failed once.
                write_whole(path, content)
                if full:
                    raise refused(self.folder, problem, KEPT) from problem
        self.failures.forget(record.job)
        with suppress(OSError):  # the next who holds the folder deletes it
            self.checkpoint(record.job).unlink(missing_ok=True)

    def refusal(self, problem: BaseException) -> RunError | None:
        """What is told where a job failed since its state could not be kept; None if it did not."""
        if isinstance(problem, OSError):
            about = Path(os.fsdecode(problem.filename or "")).absolute()
            if problem.errno in FULL or self.folder.absolute() in about.parents:
                return refused(self.folder, problem, LOST_IN_FLIGHT)
        return None

    def checkpoint(self, job: Identified) -> Path:
        """Where a job in flight may keep its state; it is deleted when its record is written."""
        return self.folder / "checkpoints" / f"{job.identity}.pt"

    def _paths(self) -> list[Path]:
        """Of all records. A folder that cannot be listed raises, where glob would find nothing."""
        try:
            return sorted(path for path in self.runs.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return []

    def _tidy(self) -> None:
        """Delete what one that was killed has left, and nothing else."""
        checkpoints = self.folder / "checkpoints"
        for left in chain(
            left_behind(self.folder, "holder", "reserve"),
            left_behind(self.runs, "*.json"),
            left_behind(checkpoints, "*.pt"),
            left_behind(self.failures.folder, "*.txt"),
        ):
            left.unlink(missing_ok=True)
        for state in checkpoints.glob("*.pt"):
            if (self.runs / f"{state.stem}.json").exists():
                state.unlink()

    @property
    def _lock(self) -> FileLock:
        return FileLock(self.folder / "lock", timeout=0)

    def _last_holder(self) -> str:
        try:
            told = content_of(self.folder / "holder").decode()
        except (OSError, ValueError):
            return "unknown"
        return told if told.isdecimal() else "unknown"

    def _refuse_links(self) -> None:
        checkpoints = self.folder / "checkpoints"
        for path in (self.runs, checkpoints, self.failures.folder, self.folder / "lock"):
            if path.is_symlink():
                raise RunError(
                    f"{path} is a link, and nothing is written or read through it: name the folder "
                    "that it leads to, or delete it; nothing was changed"
                )

    def _refill(self) -> None:
        path = self.folder / "reserve"
        if not path.is_file() or path.is_symlink() or path.stat().st_size < RESERVE:
            # Random bytes, which no file system stores in less than their size.
            write_whole(path, os.urandom(RESERVE))
