"""A small experiment with one fault at one file-system call, for every call and every fault.

``python tools/try_faults.py`` tries them all; ``--part 100`` a part, in which every kind of fault
and call has its share and which ``--seed`` chooses. The command of the book's experiments makes a
grid of squares below an empty folder, or goes on with one of which records are missing or damaged.
Then the same command runs undisturbed, and must leave the files and records of a run that nothing
ever disturbed, having made at most one piece again. An error of the system is answered by one line.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import squares
from file_faults import ERRORS, KINDS, LASTING, WRITES, Watch
from squares import NOTED, STORE, Answer, made, run

from specmup.runs.store import Store

SCENES = ("begun", "gone on with")


@dataclass(frozen=True)
class Case:
    """A fault, and when it comes."""

    scene: str
    kind: str
    at: int
    call: str

    def __str__(self) -> str:
        """As it is shown."""
        return f"{self.scene}: {self.kind} at call {self.at}, {self.call}"


def contents(home: Path) -> dict[str, object]:
    """What a run leaves: records as read, the table as it is, other files by name."""
    kept = Store(home / STORE).read()
    found = {str(p.relative_to(home)): None for p in home.rglob("*") if not p.is_dir()}
    found |= {name: (r.job, r.result["rows"], r.origin) for name, r in kept.records.items()}
    return found | {p.name: p.read_text() for p in (home / "results").glob("*.csv")}


def make_scene(scene: str, home: Path) -> None:
    """The folder before the run that the fault disturbs."""
    home.mkdir()
    if scene == "begun":
        return
    run(home, Watch(home))
    shutil.rmtree(home / "results")
    first, second, *_ = sorted((home / STORE / "runs").glob("*.json"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:50])
    (home / STORE / "runs" / ".left.json.1-0a1b2c3d").write_text("left by one that was killed")
    (home.parent / NOTED).unlink()


class Trial:
    """A scene with its undisturbed run, against which cases are held."""

    def __init__(self, scene: str, folder: Path) -> None:
        """Make the scene, and run it undisturbed."""
        self.scene, self.folder = scene, folder / scene.replace(" ", "-")
        self.start = self.folder / "start"
        self.folder.mkdir()
        make_scene(scene, self.start)
        home = self._fresh()
        answer = run(home, Watch(home))
        if answer.status != 0:
            raise RuntimeError(f"{scene}: undisturbed, the command fails: {answer.said}")
        self.whole, self.pieces = contents(home), made(home)
        self.calls = (self.folder / "calls").read_text().split()

    def cases(self) -> list[Case]:
        """A fault of every kind at every call, where it can be."""
        return [
            Case(self.scene, kind, at, call)
            for at, call in enumerate(self.calls)
            for kind in KINDS
            if kind not in WRITES or call == "write"
        ]

    def wrong(self, case: Case) -> list[str]:
        """What is amiss after a fault; nothing if all is well."""
        home = self._fresh()
        first = run(home, Watch(home, case.kind, case.at))
        then = run(home, Watch(home))
        found = list(_misanswered(case, first))
        if then != Answer(0, ""):
            found.append(f"the next run ends with status {then.status}: {then.said.strip()}")
            return found
        left = contents(home)
        if lost := self.whole.keys() - left.keys():
            found.append(f"lost: {', '.join(sorted(lost))}")
        if more := left.keys() - self.whole.keys():
            found.append(f"left behind: {', '.join(sorted(more))}")
        if changed := [n for n in self.whole.keys() & left.keys() if self.whole[n] != left[n]]:
            found.append(f"changed: {', '.join(sorted(changed))}")
        again = made(home) - self.pieces
        if again.total() > 1 or self.pieces - made(home):
            found.append(f"pieces made again: {dict(again)}")
        return found

    def _fresh(self) -> Path:
        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        (self.folder / NOTED).unlink(missing_ok=True)
        return Path(shutil.copytree(self.start, home))


def _misanswered(case: Case, answer: Answer) -> list[str]:
    """How the disturbed command answered otherwise than it should."""
    if case.kind not in (*ERRORS, *LASTING):
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
