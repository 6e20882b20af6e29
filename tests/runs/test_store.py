"""Records: whole or not at all, checked when read, alone in their folder, safe on a full disk."""

import math
import os
import subprocess
import sys
import threading
import time

import pytest

from specmup.runs import store as store_module
from specmup.runs.job import Job, Record
from specmup.runs.refusals import DiskFull
from specmup.runs.store import RunError, Store


@pytest.fixture
def record():
    job = Job("tests.task", 1, {"width": 8, "rates": [0.5, 0.25]})
    result = {"loss": math.inf, "curve": [1.25, math.inf], "diverged_at": 1, "seconds": 0.1}
    return Record(job, result, {"device": "cpu"})


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    with made.locked():
        yield made


def test_a_record_comes_back_as_it_was_infinities_included(store, record):
    store.write(record)
    kept = store.read()
    assert kept.records == {record.job.identity: record}
    assert kept.records[record.job.identity].job.identity == record.job.identity
    assert not kept.corrupt


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "renamed"])
def test_a_corrupt_record_is_noticed_and_set_aside(store, record, damage):
    store.write(record)
    path = store.runs / f"{record.job.identity}.json"
    text = path.read_text()
    damaged = {"cut": text[:-20], "changed": text.replace("1.25", "1.26"), "emptied": ""}
    if damage == "renamed":
        path = path.rename(path.with_stem("0" * 20))
    else:
        assert damaged[damage] != text
        path.write_text(damaged[damage])
    kept = store.read()
    assert (kept.records, list(kept.corrupt)) == ({}, [path])
    aside = store.set_aside(path)
    assert aside.suffix == ".corrupt-1"
    assert not store.read().corrupt
    store.write(record)  # of the same run, which is damaged again: the first is kept too
    (store.runs / f"{record.job.identity}.json").write_text("")
    again = store.set_aside(store.runs / f"{record.job.identity}.json")
    assert aside.exists() and again.exists()


def test_a_full_disk_gives_up_the_reserve_and_keeps_the_record(store, record, monkeypatch):
    reserve = store.folder / "reserve"
    assert reserve.stat().st_size == store_module.RESERVE
    fsync = os.fsync

    def full(descriptor):
        if reserve.exists():
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="every finished run is kept: free some"):
        store.write(record)
    assert set(store.read().records) == {record.job.identity}
    assert [p.name for p in store.runs.iterdir()] == [f"{record.job.identity}.json"]


def test_a_disk_too_full_for_the_reserve_says_what_is_lost(store, record, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="the run that had just finished is lost"):
        store.write(record)
    assert list(store.runs.iterdir()) == []


def test_a_disk_that_fails_once_is_tried_once_more(store, record, monkeypatch):
    fsync, left = os.fsync, iter([True])

    def failing(descriptor):
        if next(left, False):
            raise OSError(5, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    store.write(record)
    assert next(left, None) is None
    assert store.read().records == {record.job.identity: record}
    assert [p.name for p in store.runs.iterdir()] == [f"{record.job.identity}.json"]


def test_a_folder_in_use_is_refused_until_its_holder_is_killed(tmp_path):
    folder = tmp_path / "store"
    program = f"""
import time
from specmup.runs.store import Store
with Store({str(folder)!r}).locked():
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        assert Store(folder).holder() == str(holder.pid)
        with pytest.raises(RunError, match=f"in use by process {holder.pid}: wait for it"):
            with Store(folder).locked():
                pass
    finally:
        holder.kill()
        holder.communicate()
    with Store(folder).locked():
        assert Store(folder).holder() == str(os.getpid())
    assert Store(folder).holder() is None


def test_a_store_works_where_the_system_has_no_fcntl(tmp_path):
    program = f"""
import sys
sys.modules["fcntl"] = None  # as on Windows
import specmup.data.tokenise, specmup.sweeps.runner
from specmup.runs.store import Store, RunError
with Store({str(tmp_path)!r}).locked():
    try:
        with Store({str(tmp_path)!r}).locked():
            print("held twice")
    except RunError as problem:
        print(problem)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "is in use by process" in told.stdout, told.stderr


def test_who_only_asks_who_holds_a_folder_refuses_it_to_nobody(tmp_path):
    store = Store(tmp_path)
    held = threading.Event()

    def glance():
        with store._lock:
            held.set()
            time.sleep(0.1)

    threading.Thread(target=glance).start()
    held.wait()
    with store.locked():
        pass


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(store, record, monkeypatch):
    store.write(record)

    def refused(path="."):
        raise PermissionError(13, "Permission denied", path)

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, refused)
    with pytest.raises(RunError, match=r"cannot be used \(Permission denied\); nothing"):
        store.read()


def test_a_checkpoint_of_a_finished_job_is_deleted_by_the_next_holder(tmp_path, record):
    store = Store(tmp_path)
    with store.locked():
        store.write(record)
    checkpoint = store.checkpoint(record.job)
    checkpoint.parent.mkdir()
    checkpoint.touch()  # as where the process was killed between the two
    (other := checkpoint.with_stem("0" * 20)).touch()
    with store.locked():
        assert not checkpoint.exists() and other.exists()


def test_a_clock_that_was_set_back_gives_no_negative_time(store, record):
    store.write(record)
    os.utime(store.runs / f"{record.job.identity}.json", (4e9, 4e9))
    assert store.since_last() == 0.0


@pytest.mark.parametrize("told", [".", "absolute"])
def test_a_state_that_cannot_be_kept_is_the_folders_however_it_is_named(
    tmp_path, record, monkeypatch, told
):
    monkeypatch.chdir(tmp_path)
    named = Store("runs-here")
    state = named.checkpoint(record.job)
    refused = OSError(30, "Read-only", str(state.absolute() if told == "absolute" else state))
    assert "runs-here cannot be used (Read-only)" in str(named.refusal(refused))
    assert named.refusal(OSError(30, "Read-only", str(tmp_path / "elsewhere"))) is None


def test_why_a_job_failed_is_kept_until_it_is_done(store, record):
    store.failures.note(record.job, ValueError("one\nand\x1b[31m two"))
    told = store.failures.read()[record.job.identity]
    assert told.startswith("ValueError: one and") and told.isprintable()
    store.failures.note(record.job, OSError("another"))
    assert store.failures.read() == {record.job.identity: "OSError: another"}
    store.write(record)
    assert store.failures.read() == {}


def test_a_reason_that_cannot_be_kept_or_read_stops_nothing(store, record):
    store.failures.folder.write_text("no folder")
    store.failures.note(record.job, ValueError("lost"))
    store.failures.forget(record.job)
    assert store.failures.read() == {}
    store.failures.folder.unlink()
    store.failures.folder.mkdir()
    (store.failures.folder / "odd.txt").write_bytes(b"\xff")
    (store.failures.folder / "link.txt").symlink_to(store.folder / "holder")
    assert store.failures.read() == {}
