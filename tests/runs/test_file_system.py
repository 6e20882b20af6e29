"""A folder on a file system that cannot keep a store is refused before anything is written."""

import errno
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from specmup.runs import file_system
from specmup.runs.file_system import Mount, mount_of, refuse_mount
from specmup.runs.job import Job, Record
from specmup.runs.store import RunError, Store

# As proc_pid_mountinfo(5) describes them; the options of a mount stand in two places.
TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw - nfs4 server:/home rw,vers=4.2,local_lock=none
31 22 0:41 / /old rw - nfs server:/old rw,vers=3,nolock,local_lock=all
32 22 0:42 / /scratch rw - lustre 10.0.0.1@tcp:/fs rw,localflock
33 22 0:43 / /fast rw - lustre 10.0.0.1@tcp:/fast rw,flock
34 22 0:44 / /bucket rw - fuse.s3fs s3fs rw,user_id=0
35 22 0:45 / /cloud rw - fuse gcsfuse rw
36 22 0:46 / /my\040disk rw - fuse.rclone remote: rw
37 31 8:2 / /old/local rw - ext4 /dev/sdb1 rw
38 22 0:47 / /share rw - cifs //server/share rw,nobrl
41 22 0:50 / /smb rw - smb3 //server/share rw,nobrl
42 22 0:51 / /remote rw - fuse.sshfs me@host:/home rw,user_id=0
43 22 0:52 / /gpfs rw - gpfs gpfs0 rw,relatime
44 22 0:53 / /shared rw - gfs2 /dev/dm-1 rw,localflocks
45 22 0:54 / /bees rw - beegfs beegfs_nodev rw,cfgFile=/nowhere/client.conf
46 22 0:55 / /glued rw - fuse.glusterfs server:/volume rw,user_id=0
48 22 0:57 / /für\040alle rw - nfs server:/all rw,nolock
47 22 0:56 / /stick rw - fuseblk /dev/sdd1 rw,user_id=0
not a line
"""


@pytest.mark.parametrize(
    "folder",
    [
        *("/", "/home/me", "/fast/a/b", "/old/local/runs", "/older", "/scratching", "/glued/x"),
        "/stick",
    ],
)
def test_a_mount_with_locks_is_taken(folder):
    refuse_mount(Path(folder), mount_of(Path(folder), TABLE))


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("/old/runs", "is on nfs, mounted at /old with local_lock=all, so that machines"),
        ("/scratch", "is on lustre, mounted at /scratch with localflock"),
        ("/share/x", "is on cifs, mounted at /share with nobrl, so that machines do not see"),
        ("/für alle/x", "is on nfs, mounted at /für alle with nolock"),
        ("/smb/x", "is on smb3, mounted at /smb with nobrl"),
        ("/shared/x", "is on gfs2, mounted at /shared with localflocks"),
        ("/remote/x", "is on sshfs, mounted at /remote, on which machines do not see each other's"),
        ("/gpfs/x", "is on gpfs, mounted at /gpfs, on which"),
        ("/bees/x", "is on beegfs, mounted at /bees without tuneUseGlobalFileLocks, so that"),
        ("/bucket/x", "is on an object store, mounted by s3fs at /bucket"),
        ("/cloud/x", "is on an object store, mounted by fuse at /cloud"),
        ("/my disk/x", "is on an object store, mounted by rclone at /my disk"),
    ],
)
def test_a_mount_without_them_is_refused_with_the_remedy(folder, says):
    with pytest.raises(RunError, match=f"^{folder} {says}.*--folder") as refused:
        refuse_mount(Path(folder), mount_of(Path(folder), TABLE))
    assert "nothing was changed" in str(refused.value)


@pytest.mark.parametrize(
    ("told", "shared"),
    [
        ("tuneUseGlobalFileLocks = true\n", True),
        ("tuneRemoteFSync = true\ntuneUseGlobalFileLocks=1", True),
        ("tuneUseGlobalFileLocks = false", False),
        ("# tuneUseGlobalFileLocks = true\ntuneUseGlobalAppendLocks = true", False),
        ("tuneUseGlobalFileLocks =\ntrue = true", False),
        ("", False),
    ],
)
def test_the_client_of_beegfs_is_asked_whether_machines_share_locks(tmp_path, told, shared):
    (client := tmp_path / "client.conf").write_text(told)
    mount = Mount("/bees", "beegfs", "beegfs_nodev", frozenset({"rw", f"cfgFile={client}"}))
    refused = pytest.raises(
        RunError, match="set tuneUseGlobalFileLocks = true in its client, or name"
    )
    with nullcontext() if shared else refused:
        refuse_mount(Path("/bees"), mount)


def test_what_is_mounted_over_a_mount_is_what_counts():
    over = TABLE + "40 31 8:3 / /old rw - ext4 /dev/sdc1 rw\n"
    refuse_mount(Path("/old/runs"), mount_of(Path("/old/runs"), over))


def test_a_system_without_a_table_of_mounts_refuses_none():
    assert mount_of(Path("/old"), "") is None
    refuse_mount(Path("/old"), None)


def test_a_store_asks_for_the_mount_that_its_folder_is_on(tmp_path, monkeypatch):
    real = os.path.realpath(tmp_path)
    line = f"50 1 0:50 / {real} rw - nfs server:/x rw,nolock"
    monkeypatch.setattr(file_system, "mounts", lambda: line)
    with pytest.raises(RunError, match="is on nfs, mounted at"), Store(tmp_path / "store").locked():
        raise AssertionError("it was held")
    assert not (tmp_path / "store" / "lock").exists()


@pytest.mark.filterwarnings("error")
@pytest.mark.skipif(sys.platform == "win32", reason="flock is not Windows'")
@pytest.mark.parametrize("answer", [None, errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_that_does_not_keep_a_file_locked_is_refused(tmp_path, monkeypatch, answer):
    import fcntl

    def flock(*_):
        if answer is not None:
            raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(RunError, match="nothing was changed") as refused:
        with Store(tmp_path / "store").locked():
            raise AssertionError("it was held")
    assert "does not keep a file locked" in str(refused.value)
    assert not (tmp_path / "store" / "holder").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="not tried there")
def test_a_rename_that_writes_into_the_file_that_was_there_is_refused(tmp_path, monkeypatch):
    def copied(self, target):
        Path(target).write_bytes(self.read_bytes())
        self.unlink()

    monkeypatch.setattr(Path, "replace", copied)
    with pytest.raises(RunError, match="whose rename writes into the file that was there"):
        with Store(tmp_path / "store").locked():
            raise AssertionError("it was held")


def test_a_rename_that_is_refused_is_told(tmp_path, monkeypatch):
    def none(self, target):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(Path, "replace", none)
    with pytest.raises(RunError, match=r"cannot be used \(Function not implemented\)"):
        with Store(tmp_path / "store").locked():
            raise AssertionError("it was held")


def test_a_folder_that_is_fit_is_held_and_left_as_it_was(tmp_path):
    store = Store(tmp_path / "store")
    for _ in range(2):
        with store.locked():
            store.write(Record(Job("a", 1, {}), {"seconds": 1.0}, {}))
        assert (store.folder / "holder").read_text() == str(os.getpid())
    names = sorted(path.name for path in store.folder.iterdir())
    assert names == ["holder", "lock", "reserve", "runs"]
    shutil.rmtree(store.folder / "runs")
    with store.locked():
        assert store.read().records == {}
