"""A small run with one fault at one file-system call, for every call and every fault.

``python tools/try_faults.py`` tries them all; ``--part 100`` a part, in which every kind of fault
and call has its share and which ``--seed`` chooses. The command of the book's experiments makes a
grid of squares below an empty folder, or goes on with one of which records are missing or damaged;
``specmup sweep`` runs and collects a tiny sweep likewise. Then the same command runs undisturbed,
and must leave the files and records of a run that nothing ever disturbed, having made at most one
job again. An error of the system, or a signal to end, is answered by one line.
"""

from __future__ import annotations

import argparse
import gc
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import squares
import tiny_sweep
from file_faults import ERRORS, KINDS, LASTING, LATE, MOVED, STOPS, WRITES, Watch
from power_cut import UNSYNCED
from squares import NOTED, Answer, made, run

from specmup.runs.job import Job
from specmup.runs.store import Store
from specmup.sweeps.run import Run


@dataclass(frozen=True)
class Workload:
    """What is run: who calls the command, where its records are, and of what jobs."""

    call: Callable[[], int | None]
    store: Path
    kind: type


SQUARES = Workload(squares.make, squares.STORE, Job)
SWEEP = Workload(tiny_sweep.make, tiny_sweep.STORE, Run)
SCENES = {
    "begun": SQUARES,
    "gone on with": SQUARES,
    "sweep, begun": SWEEP,
    "sweep, gone on with": SWEEP,
}


@dataclass(frozen=True)
class Case:
    """A fault, and when it comes."""

    scene: str
    kind: str
    at: int
    call: str
    held: bool = True  # the folder

    def __str__(self) -> str:
        """As it is shown."""
        return f"{self.scene}: {self.kind} at call {self.at}, {self.call}"


def contents(home: Path, workload: Workload) -> dict[str, object]:
    """What a run leaves: records as read, the table as it is, other files by name."""
    kept = Store(home / workload.store, workload.kind).read()
    found = {str(p.relative_to(home)): None for p in home.rglob("*") if not p.is_dir()}
    for name, record in kept.records.items():
        found[name] = record.job, {**record.result, "seconds": None}, record.origin
    return found | {p.name: p.read_text() for p in (home / "results").glob("*.csv")}


def make_scene(scene: str, home: Path) -> None:
    """The folder before the run that the fault disturbs."""
    home.mkdir()
    if scene.endswith("begun"):
        return
    workload = SCENES[scene]
    runs = home / workload.store / "runs"
    # Killed when the first record takes its place, after holder, twice, reserve and two states.
    record = [n for n, call in enumerate(_calls(home, workload)) if call == "replace"]
    run(home, Watch(home, "killed before", record[4]), workload.call)
    in_flight = list(runs.parent.glob("checkpoints/*.pt"))
    done = {path.name for path in runs.glob("*.json")}
    states = {path: path.read_bytes() for path in in_flight}
    run(home, Watch(home), workload.call)
    shutil.rmtree(home / "results")
    made_since = sorted(p for p in runs.glob("*.json") if p.name not in done)
    first = runs / f"{in_flight[0].stem}.json" if in_flight else made_since[0]
    first.unlink()
    for path, state in states.items():
        path.write_bytes(state)
    second = next(path for path in made_since if path != first)
    second.write_bytes(second.read_bytes()[:50])
    (runs / ".left.json.1-0a1b2c3d").write_text("left by one that was killed")
    (home.parent / NOTED).unlink()


def _calls(home: Path, workload: Workload) -> list[str]:
    """Those of an undisturbed run, of which nothing is left."""
    run(home, Watch(home), workload.call)
    shutil.rmtree(home)
    home.mkdir()
    return (home.parent / "calls").read_text().split("\n")


def _held(calls: list[str]) -> bool:
    """Whether the folder is held: it is locked, the lock is tried, and it is freed."""
    return calls.count("flock") % 3 != 0


class Trial:
    """A scene with its undisturbed run, against which cases are held."""

    def __init__(self, scene: str, folder: Path) -> None:
        """Make the scene, and run it undisturbed."""
        self.scene, self.folder = scene, folder / scene.replace(" ", "-")
        self.workload = SCENES[scene]
        self.start = self.folder / "start"
        self.folder.mkdir()
        make_scene(scene, self.start)
        home = self._fresh()
        answer = run(home, Watch(home), self.workload.call)
        if answer.status != 0:
            raise RuntimeError(f"{scene}: undisturbed, the command fails: {answer.said}")
        self.whole, self.pieces = contents(home, self.workload), made(home)
        self.calls = (self.folder / "calls").read_text().split("\n")

    def cases(self) -> list[Case]:
        """A fault of every kind at every call, where it can be."""
        return [
            Case(self.scene, kind, at, call, _held(self.calls[: at + 1]))
            for at, call in enumerate(self.calls)
            for kind in KINDS
            if kind not in WRITES or call == "write"
        ]

    def wrong(self, case: Case) -> list[str]:
        """What is amiss after a fault; nothing if all is well."""
        home = self._fresh()
        build = home / self.workload.store.parts[0]
        first = run(home, watch := Watch(home, case.kind, case.at, build), self.workload.call)
        if watch.moved.exists():  # it is brought back, to what was made since
            shutil.copytree(watch.moved, build, dirs_exist_ok=True)
        then = run(home, Watch(home), self.workload.call)
        found = list(_misanswered(case, first))
        if then != Answer(0, ""):
            found.append(f"the next run ends with status {then.status}: {then.said.strip()}")
            return found
        left = contents(home, self.workload)
        if lost := self.whole.keys() - left.keys():
            found.append(f"lost: {', '.join(sorted(lost))}")
        if more := left.keys() - self.whole.keys():
            found.append(f"left behind: {', '.join(sorted(more))}")
        if changed := [n for n in self.whole.keys() & left.keys() if self.whole[n] != left[n]]:
            found.append(f"changed: {', '.join(sorted(changed))}")
        again = made(home) - self.pieces
        anew = case.kind == MOVED and not case.held  # another folder was made in its place
        if (again.total() > 1 and not anew) or self.pieces - made(home):
            found.append(f"pieces made again: {dict(again)}")
        return found

    def _fresh(self) -> Path:
        home = self.folder / "home"
        for gone in (home, Watch(home).moved, *self.folder.glob(f"{UNSYNCED}*")):
            shutil.rmtree(gone, ignore_errors=True)
        (self.folder / NOTED).unlink(missing_ok=True)
        return Path(shutil.copytree(self.start, home))


def _misanswered(case: Case, answer: Answer) -> list[str]:
    """How the disturbed command answered otherwise than it should."""
    if case.kind in STOPS:
        expected = 128 + STOPS[case.kind]
        said = answer.status == expected and answer.said.count("\n") == 1
        return [] if said and answer.said.startswith("stopped") else [f"it ended with {answer}"]
    if case.kind not in (*ERRORS, LATE, MOVED, *LASTING):
        expected = 0 if case.kind == "short write" else -signal.SIGKILL
        return [] if answer == Answer(expected, "") else [f"it ended with {answer}"]
    lines = answer.said.splitlines()
    if (answer.status, lines) == (0, []) or (answer.status == 2 and len(lines) == 1):
        return []
    return [f"status {answer.status} and {len(lines)} lines, the last: {lines[-1:]}"]


def part_of(cases: list[Case], size: int, seed: int) -> list[Case]:
    """A part in which every scene, call and kind of fault has its share."""
    chance, strata = random.Random(seed), defaultdict(list)
    for case in cases:
        strata[case.scene, case.call, case.kind].append(case)
    piles = [chance.sample(pile, len(pile)) for pile in strata.values()]
    chance.shuffle(piles)
    dealt = [pile[i] for i in range(max(map(len, piles))) for pile in piles if i < len(pile)]
    return dealt[:size]


def main() -> int:
    """Try faults; returns 1 if one was not survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", type=int, help="how many cases; default: all")
    parser.add_argument("--seed", type=int, default=0, help="which part; default: 0")
    asked = parser.parse_args()
    squares.prepare()
    tiny_sweep.prepare()
    gc.freeze()  # or each process would copy what it only counts
    begun, tried, survived = time.monotonic(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        trials = {scene: Trial(scene, Path(folder)) for scene in SCENES}
        cases = [case for trial in trials.values() for case in trial.cases()]
        if asked.part is not None:
            cases = part_of(cases, asked.part, asked.seed)
            print(f"seed {asked.seed}: {len(cases)} cases")
        for case in cases:
            wrong = trials[case.scene].wrong(case)
            tried[case.kind] += 1
            survived[case.kind] += not wrong
            for one in wrong:
                print(f"{case}: {one}")
    for scene, trial in trials.items():
        print(f"{scene}: {len(trial.calls)} calls")
    for kind in KINDS:
        print(f"{kind:>23}: {survived[kind]} of {tried[kind]} survived")
    print(f"{survived.total()} of {tried.total()} in {time.monotonic() - begun:.0f} s")
    return int(survived != tried)


if __name__ == "__main__":
    sys.exit(main())
