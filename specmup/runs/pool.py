"""Worker processes, one thread each, that outlive neither their work nor whoever started them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Finished:
    """One job that came back.

    Args:
        job: As it was given.
        value: What the work returned; None if it failed.
        error: What went wrong; None if nothing did.
    """

    job: Any
    value: Any = None
    error: Exception | None = None


class WorkerDied(RuntimeError):
    """A worker process ended in the middle of a job, mostly because memory ran out."""


class Pool:
    """Processes that carry out jobs, as many at a time as there are workers.

    A worker that fails or dies takes only its own job along, if it has one, and a new process
    replaces it when there is another. If the process that holds the pool is killed, its workers end
    themselves.

    Args:
        work: Called as ``work(job, worker)`` with the worker's number; importable by name.
        workers: How many; at least 1.
    """

    def __init__(self, work: Callable[[Any, int], Any], workers: int) -> None:
        """No process is started before there is a job."""
        if workers < 1:
            raise ValueError(f"workers is {workers}: give at least 1")
        self._work = work
        self._idle: list[_Worker] = []
        self._busy: dict[object, tuple[_Worker, Any]] = {}  # with its job, by its pipe
        self._unused = list(reversed(range(workers)))  # numbers

    @property
    def has_room(self) -> bool:
        """Whether a job would be begun at once."""
        return bool(self._idle or self._unused)

    def submit(self, job: Any) -> None:
        """Begin a job; there must be room."""
        worker = self._idle.pop() if self._idle else _Worker(self._work, self._unused.pop())
        try:
            worker.pipe.send(job)
        except OSError:  # it died while it had nothing to do, which is no fault of this job
            worker.end()
            worker = _Worker(self._work, worker.number)
            with suppress(OSError):  # one that dies at once is told of as any that dies
                worker.pipe.send(job)
        self._busy[worker.pipe] = worker, job

    def next(self, timeout: float | None = None) -> list[Finished]:
        """Wait for jobs in flight, until at least one is back or the time is over."""
        pipes = [worker.pipe for worker, _ in self._busy.values()]
        return [self._received(pipe) for pipe in wait(pipes, timeout)]

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.end()
        self._idle, self._busy = [], {}

    def _received(self, pipe: object) -> Finished:
        worker, job = self._busy.pop(pipe)
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._unused.append(worker.number)
            code = worker.process.exitcode
            return Finished(job, error=WorkerDied(f"its process ended with status {code}"))
        if error is None:
            self._idle.append(worker)
        else:  # what failed may hold memory still, or have left a GPU that answers nothing more
            worker.end()
            self._unused.append(worker.number)
        return Finished(job, value, error)

    def __enter__(self) -> Pool:
        """The pool; its processes end with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self.close()


class SerialPool:
    """The same in this process: a job is carried out when it is waited for, one after the other.

    Args:
        work: As for :class:`Pool`.
        workers: How many jobs are taken at a time.
    """

    def __init__(self, work: Callable[[Any, int], Any], workers: int = 1) -> None:
        """Nothing is done before it is waited for."""
        self.work, self.workers = work, workers
        self.jobs: list[Any] = []

    @property
    def has_room(self) -> bool:
        """Whether a job would be taken."""
        return len(self.jobs) < self.workers

    def submit(self, job: Any) -> None:
        """Take a job; there must be room."""
        self.jobs.append(job)

    def next(self, timeout: float | None = None) -> list[Finished]:
        """Carry out one job, however long it takes."""
        job = self.jobs.pop(0)
        try:
            return [Finished(job, self.work(job, 0))]
        except Exception as error:
            return [Finished(job, error=error)]

    def __enter__(self) -> SerialPool:
        """The pool."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to end."""


class _Worker:
    """A process and this side's end of the pipe to it."""

    def __init__(self, work: Callable[[Any, int], Any], number: int) -> None:
        # A forked process would share torch's threads, which do not survive the fork.
        context = multiprocessing.get_context("spawn")
        self.number = number
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(work, number, other), daemon=True)
        threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        os.environ.update(dict.fromkeys(threads, "1"))  # read when a process begins
        try:
            self.process.start()
        finally:
            for name, before in threads.items():
                os.environ.pop(name) if before is None else os.environ.update({name: before})
        other.close()  # so that the pipe ends with the process

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(work: Callable[[Any, int], Any], number: int, pipe: Connection) -> None:
    """What a worker process does until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that started it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(answer(work, job, number))


def answer(work: Callable[[Any, int], Any], job: Any, worker: int) -> tuple[Any, Exception | None]:
    """What a worker sends back of a job: its value, or what went wrong."""
    try:
        return work(job, worker), None
    except Exception as error:
        return None, _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, or one that says as much where it is not one that processes can hand over."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        said = RuntimeError(f"{type(error).__name__}: {error}")
        said.add_note(error.__notes__[-1])
        return said
    return error


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)
