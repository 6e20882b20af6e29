"""Worker processes: work comes back, failures too, and each failure takes its own job only."""

import os
import signal
import sys
import time

import pytest

from specmup.runs.pool import Pool, WorkerDied

WORK = """
import os
import signal

import torch


class Unportable(Exception):  # as some of torch's: it cannot be made again from what it says.
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


def work(job, worker):
    if job == "unportable":
        raise Unportable("a kernel", "does not compile")
    if job == "fail":
        raise ValueError(f"as asked of {os.getpid()}")
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid(), worker, torch.get_num_threads()
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A function that other processes can import."""
    (tmp_path / "pool_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    import pool_work

    yield pool_work.work
    sys.modules.pop("pool_work")


def test_jobs_come_back_whatever_becomes_of_others(work):
    with Pool(work, workers=2) as pool:
        for job in ("die", "fail"):
            pool.submit(job)
        assert not pool.has_room
        back = {}
        while len(back) < 2:
            back |= {one.job: one for one in pool.next(timeout=60)}
        assert isinstance(back["die"].error, WorkerDied)
        assert "status -9" in str(back["die"].error)
        assert isinstance(back["fail"].error, ValueError)
        pool.submit("again")
        (one,) = pool.next(timeout=60)
        pid, worker, threads = one.value
        assert worker in (0, 1) and threads == 1
        assert pid != os.getpid()
        assert str(back["fail"].error) != f"as asked of {pid}"  # what failed was replaced
        pool.submit("once more")
        (one,) = pool.next(timeout=60)
        assert one.value[:2] == (pid, worker)  # what works serves on
        pool.submit("unportable")
        (one,) = pool.next(timeout=60)
        assert str(one.error) == "Unportable: a kernel: does not compile"
        assert "in work" in one.error.__notes__[0]
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def test_an_idle_worker_that_dies_takes_no_job_along(work):
    with Pool(work, workers=2) as pool:
        pool.submit("first")
        (one,) = pool.next(timeout=60)
        (idle,) = pool._idle
        os.kill(one.value[0], signal.SIGKILL)
        idle.process.join()
        pool.submit("again")
        (again,) = pool.next(timeout=60)
        assert again.error is None
        assert again.value[0] != one.value[0] and again.value[1] == one.value[1]  # its number


def test_a_pool_needs_a_worker(work):
    with pytest.raises(ValueError, match="workers is 0"):
        Pool(work, 0)
