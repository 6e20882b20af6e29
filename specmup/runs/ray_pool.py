"""A Ray cluster as a pool of workers: jobs become its tasks, and what they return comes back here.

Ray places a task where there are the cores, GPUs and memory that it needs, and tells when a worker
or a machine is lost. What was lost is begun again by this pool, not by Ray, so that all losses
count alike. Only the driver writes records.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from specmup.extras import load
from specmup.foreign import in_one_line
from specmup.runs.pool import Finished, WorkerDied, answer
from specmup.runs.refusals import RunError

RETRIES = 3  # of a job whose worker was lost
PATIENCE = 10.0  # seconds, with who does not answer
HERE = "local"  # Ray's word for a cluster of this machine alone, which ends with its driver


@dataclass(frozen=True)
class Needs:
    """What a job takes of the machine that it is placed on.

    Args:
        cpus: Cores.
        gpus: GPUs, of which it sees no others.
        memory: Bytes, given the job; what no machine has is taken for all that one has.
    """

    cpus: int = 1
    gpus: int = 0
    memory: Callable[[Any], float] = lambda job: 0.0


class RayPool:
    """What :class:`specmup.runs.pool.Pool` is, on a cluster that this process is connected to.

    Args:
        work: Called as ``work(job, 0)``, where each job has GPUs of its own; importable by name on
            every machine.
        workers: Jobs at a time; as many as the cluster has room for if None, while it grows or
            shrinks.
        needs: Of each job.
    """

    def __init__(
        self, work: Callable[[Any, int], Any], workers: int | None = None, needs: Needs = Needs()
    ) -> None:
        """Nothing is begun before there is a job."""
        if workers is not None and workers < 1:
            raise ValueError(f"workers is {workers}: give at least 1")
        self._ray = _ray()
        self._work, self._workers, self._needs = self._ray.put(work), workers, needs
        self._in_flight: dict[Any, tuple[Any, int]] = {}  # with how often it was begun, by answer
        self._look()

    @property
    def has_room(self) -> bool:
        """Whether a job would be begun at once, by what the cluster had when it was last asked."""
        return len(self._in_flight) < self._room

    def submit(self, job: Any) -> None:
        """Begin a job; there must be room."""
        self._begin(job, 1)

    def next(self, timeout: float | None = None) -> list[Finished]:
        """Wait for jobs in flight, until at least one is back or the time is over."""
        answers = list(self._in_flight)
        if not answers:
            return []
        ready, _ = self._ray.wait(answers, timeout=timeout)
        if ready:
            ready, _ = self._ray.wait(answers, num_returns=len(answers), timeout=0)
        self._look()
        return [one for one in map(self._received, ready) if one is not None]

    def close(self) -> None:
        """End all jobs, whatever they are doing."""
        for one in self._in_flight:
            self._ray.cancel(one, force=True)
        self._in_flight = {}

    def __enter__(self) -> RayPool:
        """The pool; its jobs end with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all jobs."""
        self.close()

    def _look(self) -> None:
        """See how much room there is, and how large the largest machine is that a job fits on."""
        nodes = machines(self._ray)
        self._room = self._workers or max(1, slots(nodes, self._needs))
        fit = [node for node in nodes if slots([node], self._needs)]
        self._largest = max((node.get("memory", 0.0) for node in fit), default=0.0)

    def _begin(self, job: Any, times: int) -> None:
        task = self._ray.remote(
            num_cpus=self._needs.cpus,
            num_gpus=self._needs.gpus,
            memory=int(min(self._needs.memory(job), self._largest)) or None,
            max_retries=0,
        )(answer)
        self._in_flight[task.remote(self._work, job, 0)] = job, times

    def _received(self, ready: Any) -> Finished | None:
        """What came back; None if it did not, and was begun once more."""
        job, times = self._in_flight.pop(ready)
        try:
            return Finished(job, *self._ray.get(ready))
        except self._ray.exceptions.RayTaskError as problem:  # as where the package is missing
            return Finished(job, error=RuntimeError(in_one_line(problem.cause)))
        except self._ray.exceptions.RayError as problem:
            if times <= RETRIES:
                self._begin(job, times + 1)
                return None
            told = f"its worker was lost {times} times, the last time by {in_one_line(problem)}"
            return Finished(job, error=WorkerDied(told))


@dataclass(frozen=True)
class RayCluster:
    """A cluster that this process is connected to; made by :func:`connected`."""

    ray: ModuleType

    def workers(self, needs: Needs) -> int:
        """How many jobs it has room for.

        Raises:
            RunError: If there is no machine for any.
        """
        if (room := slots(machines(self.ray), needs)) < 1:
            raise RunError(
                f"no machine of the Ray cluster has {needs.cpus} free cores and {needs.gpus} GPUs: "
                "add one that has, or take another --device"
            )
        return room

    def pool(self, needs: Needs, workers: int | None = None) -> Callable[..., RayPool]:
        """What makes a pool, given the work and a number of workers that counts if none is here."""
        return lambda work, _: RayPool(work, workers, needs)


@contextmanager
def connected(address: str | None = None) -> Iterator[RayCluster]:
    """Be the driver of a cluster in the block.

    Args:
        address: HOST:PORT of the cluster's head; ``auto`` for the one that this machine is part of;
            a cluster of this machine alone, which ends with the block, if None.

    Raises:
        MissingExtra: If Ray is not installed.
        RunError: If no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    ray = _ray()
    _refuse_silence(address)
    heard = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or HERE, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise RunError(_unusable(address or HERE, in_one_line(problem))) from problem
    try:
        if heard:
            signal.signal(signal.SIGTERM, before)  # Ray would end the process without a word
        yield RayCluster(ray)
    finally:
        ray.shutdown()


def _refuse_silence(address: str | None) -> None:
    """Refuse an address where nobody answers, for which Ray itself would wait five minutes."""
    if address in (None, "auto"):
        return
    host, _, port = str(address).rpartition(":")
    if not (host and port.isdecimal()):
        raise RunError(f"--address is {address}: give HOST:PORT, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as problem:
        raise RunError(_unusable(str(address), in_one_line(problem))) from problem


def _unusable(address: str, why: str) -> str:
    return (
        f"no Ray cluster can be used at {address} ({why}): start one with ray start --head, or "
        "leave --address out"
    )


def machines(ray: ModuleType) -> list[dict[str, float]]:
    """What each machine of the cluster has, those that were lost left out."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def slots(machines: list[dict[str, float]], needs: Needs) -> int:
    """How many jobs the machines have cores and GPUs for."""
    asked = {"CPU": needs.cpus, "GPU": needs.gpus}
    return sum(
        min(int(node.get(kind, 0) // number) for kind, number in asked.items() if number)
        for node in machines
    )


def _ray() -> ModuleType:
    return load("ray", extra="ray", use="--engine ray")
