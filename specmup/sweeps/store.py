"""The folder in which a sweep's runs are kept: one file a run, written whole or not at all.

runs/IDENTITY.json          a finished run: its description, what came of it, a checksum
checkpoints/IDENTITY.pt     a run in flight
lock                        held while a sweep writes here; the system frees it with its holder
reserve                     room for the runs in flight when the disk is full
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from specmup.runs.files import FULL, replacing
from specmup.sweeps.run import Run
from specmup.training.checkpoint import Checkpoint

RESERVE = 1 << 20


class SweepError(ValueError):
    """A sweep cannot go on; the message says what is kept and what to do."""


class DiskFull(SweepError):
    """The disk is full; what was to be written is kept if the reserve had room for it."""


@dataclass(frozen=True)
class Record:
    """A finished run.

    Args:
        run: What was done.
        result: What came of it, as :func:`specmup.sweeps.work.carry_out` says.
        origin: Device, versions and, but in old records, the text's fingerprint.
    """

    run: Run
    result: Mapping[str, Any]
    origin: Mapping[str, Any]

    @property
    def loss(self) -> float:
        """Validation loss; ``inf`` if the run diverged."""
        return self.result["loss"]


@dataclass(frozen=True)
class Kept:
    """What a folder holds.

    Args:
        records: By identity.
        corrupt: Files that are no records, or not what they were when written.
    """

    records: Mapping[str, Record]
    corrupt: tuple[Path, ...]


class Store:
    """Records and checkpoints in a folder.

    Args:
        folder: Made when something is first written.
    """

    def __init__(self, folder: str | Path) -> None:
        """Nothing is read or written yet."""
        self.folder = Path(folder)
        self.runs = self.folder / "runs"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone; the system frees it however its holder ends.

        Raises:
            SweepError: If another process holds it.
            DiskFull: If there is no room for the reserve.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise SweepError(
                    f"{self.folder} is in use by process {file.read().strip() or 'unknown'}: wait "
                    "for it or stop it; nothing was changed"
                ) from None
            try:
                file.truncate(0)
                os.write(file.fileno(), str(os.getpid()).encode())
                self._refill()
            except OSError as problem:
                raise DiskFull(
                    f"cannot write in {self.folder} ({problem.strerror}): free some space first; "
                    "nothing was changed"
                ) from problem
            try:
                yield
            finally:
                file.truncate(0)

    def holder(self) -> str | None:
        """The process that holds the folder; None if none does."""
        if not (path := self.folder / "lock").exists():
            return None
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "unknown"
        return None

    def since_last(self) -> float | None:
        """Seconds since a record was last written; None if there is none."""
        written = [path.stat().st_mtime for path in self.runs.glob("*.json")]
        return max(0.0, time.time() - max(written)) if written else None

    def read(self) -> Kept:
        """All that is kept; nothing is changed."""
        records, corrupt = {}, []
        for path in sorted(self.runs.glob("*.json")):
            try:
                records[path.stem] = _decoded(path)
            except (ValueError, KeyError, TypeError):
                corrupt.append(path)
        return Kept(records, tuple(corrupt))

    def set_aside(self, path: Path) -> Path:
        """Rename a corrupt record, so that its run is done again and the file is not lost."""
        number = 1
        while (aside := path.with_suffix(f".corrupt-{number}")).exists():
            number += 1
        path.rename(aside)
        return aside

    def write(self, record: Record) -> None:
        """Keep a finished run.

        Raises:
            DiskFull: If there is no room. The reserve is then given up, and if that was enough, the
                record has been kept.
        """
        path = self.runs / f"{record.run.identity}.json"
        text = _encoded(record)
        try:
            _write(path, text.encode())
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            (self.folder / "reserve").unlink(missing_ok=True)
            try:
                _write(path, text.encode())
            except OSError:
                lost = "; the run that had just finished is lost, all others are kept"
            else:
                lost = "; every finished run is kept"
            raise DiskFull(
                f"no space left in {self.folder}{lost}: free some and give the same command again"
            ) from problem

    def checkpoint(self, run: Run, every: int) -> Checkpoint:
        """Where a run in flight keeps its state."""
        return Checkpoint(self.folder / "checkpoints" / f"{run.identity}.pt", every)

    def _refill(self) -> None:
        path = self.folder / "reserve"
        if not path.exists() or path.stat().st_size < RESERVE:
            # Random bytes, which no file system stores in less than their size.
            _write(path, os.urandom(RESERVE))


def _encoded(record: Record) -> str:
    """The record as JSON, infinities as text, with a checksum of its content."""
    content = {"identity": record.run.identity, "run": asdict(record.run)}
    content = _without_infinities(content | {"result": record.result, "origin": record.origin})
    return json.dumps({**content, "sha256": _digest(content)}, indent=1) + "\n"


def _decoded(path: Path) -> Record:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.pop("sha256") != _digest(content):
        raise ValueError("the checksum does not fit")
    if content["identity"] != path.stem:  # not compared with the run's: an older format's differs
        raise ValueError("the name does not fit")
    content = _with_infinities(content)
    return Record(Run(**content["run"]), content["result"], content["origin"])


def _digest(content: Mapping) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_infinities(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(v) for v in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def _with_infinities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_infinities(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_with_infinities(v) for v in value]
    return math.inf if value == "inf" else value


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
