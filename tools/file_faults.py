"""One fault at one file-system call: what a process does below a folder is counted, or fails once.

Calls are those of Python's ``os`` and ``fcntl``, and those that file objects make. A fault strikes
the call of one number: the system refuses it, or says that it does; it takes half of what was to be
written; the process is killed or told to end; the power is cut, and what was not synced is lost;
the folder is moved away; or the disk is full or read-only from that call on.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from power_cut import Unsynced

ERRORS = {"no space": errno.ENOSPC, "input/output": errno.EIO, "no permission": errno.EACCES}
WRITES = ("short write", "killed in a write")  # half of it is written
KILLS = ("killed before", "killed after")
LATE = "input/output, though done"
# The machine ends with the process: what was not synced is lost, the names of files as well or not.
POWER = {"power cut": False, "power cut, names kept": True}
STOPS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
MOVED = "folder moved"
# From that call on, every one that changes something, or that needs room.
LASTING = {"read-only from then on": errno.EROFS, "full from then on": errno.ENOSPC}
KINDS = (*ERRORS, LATE, *KILLS, *WRITES, *POWER, *STOPS, MOVED, *LASTING)
NEED_ROOM = ("mkdir", "write", "fsync")
CHANGES = (*NEED_ROOM, "rmdir", "unlink", "remove", "rename", "replace", "link", "ftruncate")
CREATES = os.O_CREAT | os.O_WRONLY | os.O_RDWR
BY_PATH = (
    *("open", "mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link", "symlink"),
    *("stat", "lstat", "scandir", "listdir", "access", "chmod", "truncate", "utime", "readlink"),
)
BY_DESCRIPTOR = ("read", "write", "fsync", "fdatasync", "ftruncate", "fstat", "fchmod", "close")


@dataclass
class Watch:
    """The calls of this process below a folder, from :meth:`begin` on.

    Args:
        folder: Where calls count; those elsewhere go on as ever.
        kind: Of the fault, one of :data:`KINDS`; None lets all calls be.
        at: The number of the call that it strikes, from 0.
        moves: What a fault of that kind moves to where :attr:`moved` says.

    Attributes:
        calls: The name of each call so far.
    """

    folder: Path
    kind: str | None = None
    at: int = -1
    moves: Path | None = None
    calls: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Stand between this process and its system for good: for a process that only tries."""
        self._root = os.path.realpath(self.folder)
        self._rename = os.rename
        self._unsynced = Unsynced(self.folder.parent) if self.kind in POWER else None
        self._descriptors: set[int] = set()
        self._open_file = io.open
        for name in BY_PATH:
            setattr(os, name, partial(self._by_path, name, getattr(os, name)))
        for name in BY_DESCRIPTOR:
            setattr(os, name, partial(self._by_descriptor, name, getattr(os, name)))
        fcntl.flock = partial(self._by_descriptor, "flock", fcntl.flock)
        io.open = builtins.open = self._file  # type: ignore[assignment]

    @property
    def moved(self) -> Path:
        """Where a folder is that a fault has moved away."""
        return self.folder.parent / "moved"

    def call(self, name: str, function: Callable, *arguments: Any, **options: Any) -> Any:
        """Make a call that counts, or let the fault strike it."""
        number = len(self.calls)
        self.calls.append(name)
        go_on = partial(function, *arguments, **options)
        if self.kind in LASTING and number >= self.at and self._refused(name, arguments):
            raise _error(LASTING[self.kind], arguments)
        if number != self.at or self.kind is None or self.kind in LASTING:
            return go_on()
        if self.kind in (*STOPS, MOVED, *POWER):
            self._befall(go_on)
            return go_on()
        if self.kind == "killed before":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind in WRITES:
            content = memoryview(arguments[-1]).cast("B")
            written = function(*arguments[:-1], content[: len(content) // 2])
            if self.kind == "short write":
                return written
        elif self.kind == LATE:
            go_on()
            raise _error(errno.EIO, arguments)
        elif self.kind == "killed after" or name == "close":  # a file is closed, whatever it says
            with suppress(OSError):
                go_on()
        if self.kind in ERRORS:
            raise _error(ERRORS[self.kind], arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    def _befall(self, go_on: Callable) -> None:
        """Let happen what is no matter of the call; a power cut ends the process."""
        if self.kind in STOPS:
            os.kill(os.getpid(), STOPS[self.kind])
        elif self.kind == MOVED:
            with suppress(FileNotFoundError):  # before it was made
                self._rename(self.moves or self.folder, self.moved)
        elif self._unsynced:
            kept = POWER[str(self.kind)]
            with suppress(OSError):
                if kept:
                    go_on()
            self._unsynced.lose(names_survive=kept)
            os.kill(os.getpid(), signal.SIGKILL)

    def _refused(self, name: str, arguments: tuple) -> bool:
        if name == "open":
            return bool(arguments[1] & CREATES)
        return name in (NEED_ROOM if "full" in str(self.kind) else CHANGES)

    def _counts(self, path: Any) -> bool:
        if isinstance(path, int):
            return path in self._descriptors
        found = os.path.abspath(os.fsdecode(path))
        return found == self._root or found.startswith(self._root + os.sep)

    def _by_path(self, name: str, function: Callable, path: Any = ".", *more: Any, **options: Any):
        if not self._counts(path):
            return function(path, *more, **options)
        undo = None
        if self._unsynced:
            creates = name == "open" and more[0] & CREATES
            undo = self._unsynced.prepared("open to write" if creates else name, path, *more)
        made = self.call(name, function, path, *more, **options)
        if undo:
            self._unsynced.done(undo)
        if name == "open":
            self._descriptors.add(made)
        return made

    def _by_descriptor(self, name: str, function: Callable, number: int, *more: Any):
        if number not in self._descriptors:
            return function(number, *more)
        if name == "close":
            self._descriptors.discard(number)
        if name == "write":
            self.about_to_write(number)
        made = self.call(name, function, number, *more)
        if self._unsynced and name in ("fsync", "fdatasync"):
            self._unsynced.synced(number)
        return made

    def about_to_write(self, number: int) -> None:
        """Note what of a file is synced."""
        if self._unsynced:
            self._unsynced.about_to_write(number)

    def _file(self, path: Any, mode: str = "r", buffering: int = -1, *more: Any, **options: Any):
        """As :func:`open`, where the file lies below the folder with calls that count."""
        if isinstance(path, int) or not self._counts(path):
            return self._open_file(path, mode, buffering, *more, **options)
        raw = _File(self, path, mode.replace("b", "").replace("t", ""), options.pop("opener", None))
        made = io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return made
        names = ("encoding", "errors", "newline")
        return io.TextIOWrapper(made, **dict(zip(names, more, strict=False)), **options)


class _File(io.FileIO):
    """A file whose reads and writes count."""

    def __init__(self, watch: Watch, path: Any, mode: str, opener: Callable | None) -> None:
        self._watch = watch
        opener = opener or (lambda path, flags: os.open(path, flags, 0o666))
        super().__init__(os.fspath(path), mode, opener=opener)

    def write(self, content: Any) -> int:
        self._watch.about_to_write(self.fileno())
        return self._watch.call("write", super().write, content)

    def readinto(self, buffer: Any) -> int:
        return self._watch.call("read", super().readinto, buffer)

    def readall(self) -> bytes:
        return self._watch.call("read", super().readall)

    def close(self) -> None:
        if not self.closed:
            self._watch._descriptors.discard(self.fileno())
            self._watch.call("close", super().close)


def _error(number: int, arguments: tuple) -> OSError:
    """As the system raises it: with the path where the call is given one."""
    paths = [one for one in arguments[:1] if isinstance(one, str | os.PathLike)]
    return OSError(number, os.strerror(number), *paths)
