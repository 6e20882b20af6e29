"""Finished runs made again, a random few of them: each agrees, hangs on rounding, or disagrees.

Equal runs on one machine give equal losses. Another processor adds in another order, and training
at a high rate makes much of little. So a run that comes out otherwise is made twice more, from
starts that are moved by a millionth.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specmup.data.fingerprint import fingerprint
from specmup.runs.job import Record
from specmup.runs.store import RunError, StoreContents
from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.run import Run
from specmup.sweeps.work import Executor, text_of_run
from specmup.training.perturbed import FLOOR, HANGS, perturbed

PERTURBED = ("1", "2")  # seeds of the perturbations


@dataclass(frozen=True)
class RunAgain:
    """A finished run beside the same one made now.

    Attributes:
        run: Which.
        then: The loss that is kept, ``inf`` if it diverged.
        now: The loss made now.
        moved: Losses from perturbed starts; made only where the two are apart.
    """

    run: Run
    then: float
    now: float
    moved: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        """``agrees``, ``hangs on rounding`` or ``DISAGREES``."""
        allowed = FLOOR * abs(self.then) if math.isfinite(self.then) else 0.0
        if (apart := gap(self.now, self.then)) <= allowed:
            return "agrees"
        reach = max((gap(one, self.now) for one in self.moved), default=0.0)
        return "hangs on rounding" if 0 < reach and HANGS * apart <= reach else "DISAGREES"

    def __str__(self) -> str:
        """One line."""
        run = self.run
        what = f"{run.rule} {run.optimizer}, width {run.width}, depth {run.depth}"
        which = f"log2 lr {run.log2_lr:g}, seed {run.seed}"
        return f"{what}, {which}: {self.then:.6g} then, {self.now:.6g} now: {self.verdict}"


def gap(one: float, other: float) -> float:
    """How far apart two losses are: not at all if both diverged, infinitely if one did."""
    if not (math.isfinite(one) or math.isfinite(other)):
        return 0.0
    return abs(one - other)


def chosen(sweep: Sweep, contents: StoreContents, number: int, seed: int) -> list[Record]:
    """Some finished runs of a sweep, drawn without preference.

    Raises:
        RunError: If none is finished.
        ValueError: If fewer than one is asked for.
    """
    if number < 1:
        raise ValueError(f"runs is {number}: give at least 1")
    done, _ = finished_and_missing(sweep, contents)
    if not done:
        raise RunError(f"no run of {sweep.name} is finished: there is nothing to verify")
    return random.Random(seed).sample(done, min(number, len(done)))


def made_again(records: list[Record], execute: Executor) -> Iterator[RunAgain]:
    """Make runs now and hold them against their records; nothing is written.

    Args:
        records: Of one sweep.
        execute: Where; it should keep no checkpoints.

    Raises:
        RunError: If the text is another one than theirs.
        ValueError: If the text is missing or does not fit.
    """
    text = text_of_run(records[0].job, execute.text_folder)
    text_of_records(records, now=fingerprint(text))
    for record in records:
        yield _again(record, lambda run: float(execute(run, 0)["result"]["loss"]))


def _again(record: Record, loss: Callable[[Run], float]) -> RunAgain:
    made = RunAgain(record.job, float(record.result["loss"]), loss(record.job))
    if made.verdict == "agrees":
        return made
    moved = []
    for seed in PERTURBED:
        with perturbed(seed):
            moved.append(loss(record.job))
    return RunAgain(made.run, made.then, made.now, tuple(moved))
