"""What a store needs of the file system that its folder is on, tried where it can be.

Locks that exclude, on all machines that see the folder, or two drivers would delete each other's
files. A rename that exchanges one file for another, or who reads would find a part of a record.
Some network mounts and object stores that are mounted as folders give neither.
"""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from specmup.runs.files import opened, write_whole
from specmup.runs.refusals import UNCHANGED, RunError

REMEDY = "name a folder on another file system with --folder"
# Options of mounts by which machines do not see each other's locks, by kind of file system.
LOCAL_LOCKS = {
    "nfs": {"nolock", "local_lock=all", "local_lock=flock"},
    "nfs4": {"nolock", "local_lock=all", "local_lock=flock"},
    "lustre": {"localflock", "noflock"},
    "cifs": {"nobrl", "forcemandatorylock"},
    "smb3": {"nobrl", "forcemandatorylock"},
    "ceph": {"noflock"},
    "gfs2": {"localflocks"},
    "ocfs2": {"localflocks"},
}
# Where no option makes them see each other's: mounts of SFTP, FTP and WebDAV hand no lock on, so it
# is the local kernel's, and GPFS keeps flock to the machine.
NEVER_SHARED = ("sshfs", "curlftpfs", "davfs", "gpfs")
BEEGFS = Path("/etc/beegfs/beegfs-client.conf")  # of the client, if no option names another
# Object stores mounted as folders: a rename copies, and no lock is shared.
OBJECT_STORES = ("s3fs", "gcsfuse", "goofys", "mountpoint-s3", "blobfuse", "blobfuse2", "rclone")
ESCAPED = re.compile(r"\\([0-7]{3})")  # in the table of mounts: a space is \040
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class Mount(NamedTuple):
    """Where a folder is mounted from."""

    point: str
    kind: str
    source: str
    options: frozenset[str]


def mount_of(folder: Path, table: str) -> Mount | None:
    """The mount that a folder is on.

    Args:
        folder: Absolute, with no link in it.
        table: As the system writes it, in ``/proc/self/mountinfo``; see proc_pid_mountinfo(5).
    """
    found = None
    for line in table.splitlines():
        mounted, dash, system = line.partition(" - ")
        words, rest = mounted.split(), system.split()
        if not dash or len(words) < 6 or len(rest) < 3:
            continue
        point = ESCAPED.sub(lambda found: chr(int(found[1], 8)), words[4])
        options = frozenset([*words[5].split(","), *rest[2].split(",")])
        within = point == "/" or folder == Path(point) or Path(point) in folder.parents
        if within and (found is None or len(point) >= len(found.point)):  # the last lies on top
            found = Mount(point, rest[0], rest[1], options)
    return found


def refuse_mount(folder: Path, mount: Mount | None) -> None:
    """Refuse a mount whose locks hold on one machine only, or that stands for an object store.

    Raises:
        RunError: If it is such a one; the message says which, and what to do.
    """
    if mount is None:
        return
    kind = mount.kind.partition(".")[2] if mount.kind.startswith("fuse.") else mount.kind
    if kind in OBJECT_STORES or mount.source in OBJECT_STORES:
        raise RunError(
            f"{folder} is on an object store, mounted by {kind} at {mount.point}: it has no locks "
            f"and no rename; {UNCHANGED}: {REMEDY}, and copy the results from there"
        )
    if told := _local_locks(kind, mount.options):
        how, remedy = told
        raise RunError(
            f"{folder} is on {kind}, mounted at {mount.point}{how} machines do not see each "
            f"other's locks; {UNCHANGED}: {remedy}{REMEDY}"
        )


def _local_locks(kind: str, options: frozenset[str]) -> tuple[str, str] | None:
    """How a mount keeps locks to one machine and what else helps; None if it is not known to."""
    if local := sorted(LOCAL_LOCKS.get(kind, set()) & options):
        return f" with {local[0]}, so that", "mount it without that, or "
    if kind in NEVER_SHARED:
        return ", on which", ""
    if kind == "beegfs" and not _beegfs_shares_locks(options):
        option = "tuneUseGlobalFileLocks"
        return f" without {option}, so that", f"set {option} = true in its client, or "
    return None


def _beegfs_shares_locks(options: frozenset[str]) -> bool:
    """Whether the client's configuration says so, which is no part of the mount."""
    named = [o.partition("=")[2] for o in options if o.startswith("cfgFile=")]
    told = ""
    with suppress(OSError):
        told = Path(named[0] if named else BEEGFS).read_text(errors="replace")
    said = re.findall(r"(?m)^[ \t]*tuneUseGlobalFileLocks[ \t]*=[ \t]*(\w+)", told)
    return bool(said) and said[-1].lower() in ("1", "true", "yes", "on", "y")


@contextmanager
def locking(folder: Path) -> Iterator[None]:
    """Refuse, in place of an error or a warning, a file system that has no locks.

    Args:
        folder: In which a file is locked in the block.

    Raises:
        RunError: If the system says that it has none.
    """
    with warnings.catch_warnings():  # of the stand-in that outlives its holder, refused below
        warnings.filterwarnings("ignore", message="flock not supported")
        try:
            yield
        except OSError as problem:
            if problem.errno in NO_LOCKS:
                raise RunError(_no_locks(folder)) from problem
            raise


def refuse_locks(lock: Path) -> None:
    """Refuse a file system where a file that is locked can be locked once more.

    Args:
        lock: A file that this process has locked.

    Raises:
        RunError: If it is such a one.
        OSError: If it cannot be asked.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where a lock is the system's own affair
        return
    with locking(lock.parent), opened(lock, "ab") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise RunError(_no_locks(lock.parent))


def _no_locks(folder: Path) -> str:
    return (
        f"{folder} is on a file system that does not keep a file locked; {UNCHANGED}: mount it "
        f"with locks, or {REMEDY}"
    )


def refuse_rename(path: Path, content: bytes) -> None:
    """Write a file, and refuse a file system where that changes the file that was there.

    Args:
        path: Of the file, which is another one each time it is written.
        content: Of it.

    Raises:
        RunError: If who had opened the old file reads another content.
        OSError: If it cannot be written.
    """
    if path.is_symlink() or not path.is_file():
        write_whole(path, b"")
    if os.name == "nt":  # which renames no file over one that is open
        return write_whole(path, content)
    with opened(path) as old:
        before = old.read()
        write_whole(path, content)
        old.seek(0)
        changed = old.read() != before
    if changed:
        raise RunError(
            f"{path.parent} is on a file system whose rename writes into the file that was there, "
            f"so that a reader may find a part of a record; {UNCHANGED}: {REMEDY}"
        )


def mounts() -> str:
    """The table of mounts; empty where the system keeps none."""
    with suppress(OSError):
        return Path("/proc/self/mountinfo").read_text("utf-8", errors="surrogateescape")
    return ""


def refuse_folder(folder: Path) -> None:
    """Refuse a folder by how it is mounted, see :func:`refuse_mount`."""
    real = Path(os.path.realpath(folder))
    refuse_mount(folder, mount_of(real, mounts()))
