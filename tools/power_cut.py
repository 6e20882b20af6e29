"""What a machine that crashes loses: whatever was done to files and folders and not synced.

POSIX promises what fsync was called for, no more: of a file its content, of a folder its names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

REAL = {name: getattr(os, name) for name in ("open", "fstat", "ftruncate", "link", "unlink")}
REAL |= {name: getattr(os, name) for name in ("rename", "rmdir", "dup", "lstat")}


UNSYNCED = "unsynced-"


class Undo(NamedTuple):
    """How a change of a name is taken back, and in which folder it stands."""

    folder: str
    back: Callable[[], None]


class Unsynced:
    """What was done since the last syncs, so that it can be undone.

    Args:
        beside: A folder on the same disk, in which one is made for what was replaced or deleted.
    """

    def __init__(self, beside: Path) -> None:
        """Nothing was done."""
        self.elsewhere = Path(mkdtemp(dir=beside, prefix=UNSYNCED))
        self._number = count()
        self._names: list[Undo] = []  # oldest first
        self._lengths: dict[tuple[int, int], tuple[int, int]] = {}  # of files: a number, length

    def prepared(self, name: str, path: Any, *more: Any) -> Undo | None:
        """Before a call of that name: what will undo it; None if it changes no name."""
        path = os.path.abspath(os.fsdecode(path))
        if name in ("open to write", "link", "symlink"):
            made = path if name == "open to write" else os.path.abspath(os.fsdecode(more[0]))
            return None if _there(made) else _undo(made, lambda: REAL["unlink"](made))
        if name == "mkdir":
            return _undo(path, lambda: REAL["rmdir"](path))
        if name in ("unlink", "remove") and _there(path):
            kept = self._kept(path)
            return _undo(path, lambda: REAL["rename"](kept, path))
        if name in ("replace", "rename") and _there(path):
            target = os.path.abspath(os.fsdecode(more[0]))
            kept = self._kept(target) if _there(target) else None

            def back() -> None:
                REAL["rename"](target, path)
                if kept:
                    REAL["rename"](kept, target)

            return _undo(target, back)
        return None

    def done(self, undo: Undo) -> None:
        """The call that was prepared has been done."""
        self._names.append(undo)

    def about_to_write(self, number: int) -> None:
        """Note how long the file is before what is not synced yet."""
        told = REAL["fstat"](number)
        if (file := (told.st_dev, told.st_ino)) not in self._lengths:
            self._lengths[file] = REAL["dup"](number), told.st_size

    def synced(self, number: int) -> None:
        """A file's content, or a folder's names, will survive."""
        told = REAL["fstat"](number)
        self._lengths.pop((told.st_dev, told.st_ino), None)
        self._names = [undo for undo in self._names if not _is(undo.folder, told)]

    def lose(self, names_survive: bool) -> None:
        """Take away what was not synced: content, and names unless they survive."""
        for number, length in self._lengths.values():
            REAL["ftruncate"](number, length)
        for undo in reversed([] if names_survive else self._names):
            with suppress(OSError):  # a folder with something in it that was synced
                undo.back()

    def _kept(self, path: str) -> str:
        kept = str(self.elsewhere / str(next(self._number)))
        REAL["link"](path, kept, follow_symlinks=False)
        return kept


def _undo(path: str, back: Callable[[], None]) -> Undo:
    return Undo(os.path.dirname(path), back)


def _there(path: str) -> bool:
    with suppress(OSError):
        REAL["lstat"](path)
        return True
    return False


def _is(folder: str, told: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(REAL["lstat"](folder), told)
    return False
