"""How many jobs an hour many GPUs finish, by a simulation: machines fail, some are slow, jobs come.

One driver begins jobs and keeps records, one at a time, each taking what ``benchmarks engines``
measures. Machines of eight GPUs are lost at times of a Poisson process; their jobs go on from
their last checkpoints, on GPUs that are free. A lost machine is back after a while. Jobs come at
times of a Poisson process, more than can be done, so that what is counted is what the engine lets
through.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import NamedTuple

from benchmarks.engines import MOST, seconds_a_job
from benchmarks.harness import Row
from specmup.runs.pool import Pool

HOUR = 3600.0
SIZES = (1, 10, 100, 1000)


@dataclass(frozen=True)
class Assumptions:
    """Of a cluster and its jobs; times in seconds.

    Args:
        gpus: How many.
        overhead: Of the driver for a job.
        mean, spread: Of a job's time: log-normal, spread is the deviation of its logarithm.
        load: Jobs that come, in units of what the GPUs could do.
        failures: Of a GPU's machine, an hour and GPU. 419 interruptions in 54 days of 16,384 GPUs
            were published of the training of Llama 3: 2·10⁻⁵. Here five times as many.
        together: GPUs that are lost with one machine.
        noticed: Until a loss is noticed and the job begins elsewhere.
        away: Until the machine is back.
        checkpoint: Between two checkpoints.
        slow, factor: The share of GPUs that are stragglers, and how much longer they take.
    """

    gpus: int
    overhead: float
    mean: float = HOUR / 2
    spread: float = 1.0
    load: float = 1.2
    failures: float = 1e-4
    together: int = 8
    noticed: float = 30.0
    away: float = 2 * HOUR
    checkpoint: float = 120.0
    slow: float = 0.02
    factor: float = 2.0


def share_of_ideal(given: Assumptions, hours: float = 48.0, seed: int = 0) -> float:
    """Work that is done over what the same GPUs would do if nothing came between.

    What is made again after a failure is not counted, nor are the first two hours.
    """
    return _Simulation(given, random.Random(seed)).run(hours * HOUR, after=2 * HOUR)


class _Running(NamedTuple):
    """A job on a GPU: when it began, and seconds of work that are left of it."""

    begun: float
    work: float


class _Simulation:
    """What happens, in the order of its times."""

    def __init__(self, given: Assumptions, chance: random.Random) -> None:
        self.given, self.chance = given, chance
        slow = [chance.random() < given.slow for _ in range(given.gpus)]
        self.pace = [given.factor if one else 1.0 for one in slow]
        self.now = self.driver = 0.0  # the time, and when the driver is free
        self.free = list(range(given.gpus))
        self.running: dict[int, _Running] = {}
        self.waiting = deque(self._work() for _ in range(2 * given.gpus))
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = count()  # of what happens at one time, the first planned comes first
        self.done: list[tuple[float, float, float]] = []  # from, to, work

    def run(self, end: float, after: float) -> float:
        """The share of the ideal from ``after`` on."""
        self._plan(self._until_next(), self._come)
        for first in range(0, self.given.gpus, self.given.together):
            self._plan(self._until_lost(first), partial(self._lose, first))
        while True:
            self._begin()
            self.now, _, happens = heapq.heappop(self.events)
            if self.now > end:
                break
            happens()
        self.now = end
        for gpu in list(self.running):
            self._stop(gpu, kept=lambda seconds: seconds)
        worked = sum(
            work * max(0.0, to - max(begun, after)) / (to - begun)
            for begun, to, work in self.done
            if to > begun
        )
        return worked / (self.given.gpus * (end - after))

    def _plan(self, wait: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + wait, next(self.numbers), happens))

    def _begin(self) -> None:
        """Let the driver begin jobs, one after the other, while there are GPUs for them."""
        while self.free and self.waiting:
            gpu, work = self.free.pop(), self.waiting.popleft()
            self.driver = max(self.now, self.driver) + self.given.overhead
            self.running[gpu] = job = _Running(self.driver, work)
            wait = self.driver - self.now + work * self.pace[gpu]
            self._plan(wait, partial(self._end, gpu, job))

    def _end(self, gpu: int, job: _Running) -> None:
        if self.running.get(gpu) is job:  # it was not lost meanwhile
            del self.running[gpu]
            self.done.append((job.begun, self.now, job.work))
            self.free.append(gpu)

    def _come(self) -> None:
        self.waiting.append(self._work())
        self._plan(self._until_next(), self._come)

    def _lose(self, first: int) -> None:
        """A machine fails; its jobs go on from their checkpoints when that is noticed."""
        for gpu in self._machine(first):
            if gpu in self.running:
                left = self._stop(gpu, kept=lambda s: s - s % self.given.checkpoint)
                self._plan(self.given.noticed, partial(self.waiting.appendleft, left))
            else:
                self.free.remove(gpu)
        self._plan(self.given.away, partial(self._return, first))

    def _return(self, first: int) -> None:
        self.free += self._machine(first)
        self._plan(self._until_lost(first), partial(self._lose, first))

    def _stop(self, gpu: int, kept: Callable[[float], float]) -> float:
        """Take a job off its GPU; the work that is left, given what is kept of what was done."""
        job = self.running.pop(gpu)
        worked = kept(max(0.0, self.now - job.begun) / self.pace[gpu])
        self.done.append((job.begun, self.now, worked))
        return job.work - worked

    def _machine(self, first: int) -> range:
        return range(first, min(first + self.given.together, self.given.gpus))

    def _work(self) -> float:
        spread = self.given.spread
        return self.given.mean * self.chance.lognormvariate(-(spread**2) / 2, spread)

    def _until_next(self) -> float:
        return self.chance.expovariate(self.given.load * self.given.gpus / self.given.mean)

    def _until_lost(self, first: int) -> float:
        rate = self.given.failures * len(self._machine(first)) / HOUR
        return self.chance.expovariate(rate) if rate else math.inf


def mean_share(given: Assumptions, hours: float = 48.0) -> float:
    """The mean over as many clusters as have some 200 GPUs together, one at least."""
    seeds = range(max(1, 200 // given.gpus))
    return sum(share_of_ideal(given, hours, seed) for seed in seeds) / len(seeds)


def simulated() -> list[Row]:
    """A row a size, by overhead as measured here and as promised, for long jobs and short ones."""
    overhead = seconds_a_job(Pool)
    rows = []
    for gpus in SIZES:
        here = Assumptions(gpus, overhead)
        short = replace(here, mean=60.0)
        slow, short_slow = (replace(given, overhead=MOST) for given in (here, short))
        brief = [mean_share(given, hours=4.0) for given in (short, short_slow)]
        rows.append(
            Row(
                name=f"{gpus} GPUs, simulated",
                compared=f"work that is done : the ideal of {gpus}",
                ratio=mean_share(here),
                note=f"at {1e3 * overhead:.1f} ms a job; {mean_share(slow):.2f}× at {MOST} s; "
                f"jobs of a minute {brief[0]:.2f}× and {brief[1]:.2f}×",
            )
        )
    return rows


PARTS = {"up to 1,000 GPUs": simulated}
