"""Files that are written whole or not at all, and read only where they are files themselves.

Whoever may write in a folder could lay a link or a pipe where a file of ours is looked for. No link
is followed and no pipe waited for, by whatever name; the folder that a user names may be a link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Literal

FULL = (errno.ENOSPC, errno.EDQUOT)  # of an OSError when there is no room
# What content from elsewhere may raise where it is taken for ours.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
PARTIAL = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}")  # what replacing writes to: a process, a chance
# Windows has neither; os.open then follows links, and there are no pipes in folders.
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
NO_WAIT = getattr(os, "O_NONBLOCK", 0)


class NotAFile(ValueError):
    """What has the name of a file is a link, a folder, a pipe or a device."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of ``path`` at the end of the block.

    Whoever reads meanwhile, or after a crash, finds the old content or the new, never a part; after
    the block it is the new, also when the power is cut. If the block raises, the old file stays and
    nothing is left behind. A link of that name is replaced, not followed.

    Args:
        path: Of the file, in a folder that exists.
    """
    # Nobody can lay anything in wait under a name that cannot be foreseen; "x" makes it or fails.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{token_hex(4)}")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as problem:
        with suppress(OSError):  # what came first is told
            partial.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            if problem.filename == str(partial):  # a name that the reader never gave
                problem.filename = str(path)
            say_of_what(problem, path)
        raise
    _sync_names(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Give a file that content, see :func:`replacing`."""
    with replacing(path) as file:
        file.write(content)


def say_of_what(problem: OSError, path: Path) -> None:
    """Name the file, which the system does not where a read or a write failed."""
    if problem.errno and problem.filename is None:
        problem.filename = str(path)


def left_behind(folder: Path, *names: str) -> Iterator[Path]:
    """What :func:`replacing` left in a folder when its process was killed, or is writing now.

    Args:
        folder: Where others may keep files of their own, hidden ones too.
        names: Of the files that were to be written, such as ``*.json``.
    """
    for path in folder.glob(".*"):
        of = PARTIAL.fullmatch(path.name)
        if of and any(fnmatchcase(of[1], name) for name in names):
            if path.is_symlink() or path.is_file():
                yield path


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Wait until nobody else is in such a block for a folder, and hold it.

    Nothing is written for it, and the system frees it however its holder ends.

    Args:
        folder: That exists.

    Returns:
        Whether it is held: Windows and some network mounts lock no folder.
    """
    number, held = None, False
    try:
        with suppress(ImportError, OSError):
            import fcntl

            number = os.open(folder, os.O_RDONLY)
            fcntl.flock(number, fcntl.LOCK_EX)
            held = True
        yield held
    finally:
        if number is not None:
            os.close(number)


def opened(path: Path, mode: Literal["rb", "ab"] = "rb") -> BinaryIO:
    """A file that is one itself, to read or to append to.

    Args:
        path: Of the file.
        mode: As of :func:`open`.

    Raises:
        NotAFile: If it is a link, a folder, a pipe or a device.
        OSError: If it cannot be opened.
    """
    if path.is_symlink():
        raise NotAFile(f"{path} is a link, which is not followed: put the file itself there")
    try:
        file = open(path, mode, opener=_opener)
    except OSError as problem:
        if problem.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
    else:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise NotAFile(f"{path} is no file itself: move away what is there")


def content_of(path: Path) -> bytes:
    """What is in a file that is one itself.

    Raises:
        NotAFile, OSError: As :func:`opened` does.
    """
    with opened(path) as file:
        return file.read()


def _sync_names(folder: Path) -> None:
    """Let the names in a folder survive a power cut, where the system can."""
    with suppress(OSError):  # some file systems sync no folder, and Windows opens none
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | NO_LINK | NO_WAIT, 0o666)
