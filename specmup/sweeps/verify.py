"""Finished runs made again, a random few of them: each agrees, hangs on rounding, or disagrees.

Equal runs on one machine give equal losses. Another processor adds in another order, and training
at a high rate makes much of little. So a run that comes out otherwise is made twice more, from
starts that are moved by a millionth. Held against each other are the losses that a sweep's table
has; at which step a run diverged is left to rounding.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specmup.data.fingerprint import fingerprint
from specmup.runs.job import Record
from specmup.runs.store import RunError, StoreContents
from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.run import Run
from specmup.sweeps.work import Executor, text_of_run
from specmup.training.perturbed import FLOOR, HANGS, SEEDS, gap, perturbed

LOSSES = ("loss", "train_loss")
VERDICTS = ("agrees", "hangs on rounding", "DISAGREES")


@dataclass(frozen=True)
class RunAgain:
    """A finished run beside the same one made now.

    Attributes:
        run: Which.
        then: The losses that are kept, by name, ``inf`` if it diverged.
        now: Those made now.
        moved: Those from perturbed starts; made only where the two are apart.
    """

    run: Run
    then: Mapping[str, float]
    now: Mapping[str, float]
    moved: tuple[Mapping[str, float], ...] = ()

    @property
    def verdict(self) -> str:
        """The worst of the losses' :data:`VERDICTS`."""
        return self._of(self._worst)

    @property
    def _worst(self) -> str:
        """The loss that agrees least; the first of them if they agree alike."""
        return max(LOSSES, key=lambda name: VERDICTS.index(self._of(name)))

    def _of(self, name: str) -> str:
        then, now = self.then[name], self.now[name]
        allowed = FLOOR * abs(then) if math.isfinite(then) else 0.0
        if (apart := gap(now, then)) <= allowed:
            return "agrees"
        reach = max((gap(one[name], now) for one in self.moved), default=0.0)
        return "hangs on rounding" if 0 < reach and HANGS * apart <= reach else "DISAGREES"

    def __str__(self) -> str:
        """One line, with the losses that agree least."""
        run, name = self.run, self._worst
        what = f"{run.rule} {run.optimizer}, width {run.width}, depth {run.depth}"
        which = f"log2 lr {run.log2_lr:g}, seed {run.seed}"
        losses = f"{self.then[name]:.6g} then, {self.now[name]:.6g} now"
        about = "" if name == LOSSES[0] else f"{name} "
        return f"{what}, {which}: {about}{losses}: {self.verdict}"


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
        yield _again(record, lambda run: _losses(execute(run, 0)["result"]))


def _again(record: Record, losses: Callable[[Run], Mapping[str, float]]) -> RunAgain:
    made = RunAgain(record.job, _losses(record.result), losses(record.job))
    if made.verdict == "agrees":
        return made
    moved = []
    for seed in SEEDS:
        with perturbed(seed):
            moved.append(losses(record.job))
    return RunAgain(made.run, made.then, made.now, tuple(moved))


def _losses(result: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(result[name]) for name in LOSSES}
