"""Any sequence of runs, kills, damages, readings and second drivers, and what must hold after each.

``python tools/drive_engine.py`` has hypothesis make up sequences and shorten one that fails;
``--examples`` says how many, ``--seed`` which. The command is that of the book's experiments, in
processes of its own; a kill strikes at some file-system call.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import squares
from file_faults import Watch
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from squares import STORE, Answer, end, made, run, squares_kept, start

from specmup.runs.files import left_behind
from specmup.runs.results import load
from specmup.runs.store import Store

GRIDS = st.sets(st.integers(0, 5), min_size=1, max_size=4)
PLACES = st.integers(0, 30)
DAMAGES = {
    "edited": lambda path: path.write_text(path.read_text().replace('"seconds"', '"hours"')),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "emptied": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(b"\xff\x00" * 99),
    "a link": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "deleted": lambda path: path.unlink(),
}
DONE: Counter[str] = Counter()  # steps by name


class Engine(RuleBasedStateMachine):
    """A folder in which experiments are run, and what is known to be kept there."""

    def __init__(self) -> None:
        """An empty folder; nothing is kept."""
        super().__init__()
        self.around = Path(tempfile.mkdtemp())
        self.home, self.gate = self.around / "home", self.around / "gate"
        self.home.mkdir()
        self.kept: set[int] = set()

    @rule(xs=GRIDS)
    def run_undisturbed(self, xs: set[int]) -> None:
        """All that is missing is made once, and the table says so."""
        DONE["run"] += 1
        before, missing = made(self.home), xs - self.kept
        squares.prepare(sorted(xs))
        assert run(self.home, Watch(self.home)) == Answer(0, "")
        assert made(self.home) - before == Counter(map(str, missing))
        self.kept |= xs
        frame = load("squares", self.home / "results").frame
        assert list(zip(frame["x"], frame["square"], strict=True)) == [
            (x, x * x) for x in sorted(xs)
        ]
        for folder in (self.home / STORE, self.home / STORE / "runs", self.home / "results"):
            assert not list(left_behind(folder, "*"))

    @rule(xs=GRIDS, at=st.integers(0, 90), kind=st.sampled_from(["killed before", "killed after"]))
    def kill(self, xs: set[int], at: int, kind: str) -> None:
        """At most the piece in flight is lost; where the run ends before the kill, none is."""
        before, missing = made(self.home), xs - self.kept
        squares.prepare(sorted(xs))
        answer = run(self.home, Watch(self.home, kind, at))
        assert answer in (Answer(0, ""), Answer(-signal.SIGKILL, ""))
        DONE["killed run" if answer.status else "run"] += 1
        new = made(self.home) - before
        assert new <= Counter(map(str, missing))
        now = set(squares_kept(self.home))
        assert self.kept <= now and len(new) - len(now - self.kept) in (0, 1)
        self.kept = now

    @precondition(lambda self: self.kept)
    @rule(place=PLACES, damage=st.sampled_from(sorted(DAMAGES)))
    def damage(self, place: int, damage: str) -> None:
        """Somebody edits, breaks or deletes a record: it counts no more."""
        records = Store(self.home / STORE).read().records
        DONE[damage] += 1
        name = sorted(records)[place % len(records)]
        DAMAGES[damage](self.home / STORE / "runs" / f"{name}.json")
        self.kept -= {records[name].job.options["x"]}

    @rule(xs=GRIDS, killed=st.booleans())
    def two_drivers(self, xs: set[int], killed: bool) -> None:
        """While one holds the folder another is refused, and may read; the first may be killed."""
        squares.prepare(sorted(xs))
        missing = xs - self.kept
        first = self._begun(holding=bool(missing))
        if missing:
            DONE["second driver"] += 1
            refused = run(self.home, Watch(self.home))
            assert refused.status == 2 and f"in use by process {first}: wait" in refused.said
            assert refused.said.count("\n") == 1
            assert set(squares_kept(self.home)) == self.kept and self._holder() == str(first)
        if killed:
            os.kill(first, signal.SIGKILL)
        self.gate.unlink()
        answer = end(self.home, first)
        assert answer.status in ((0, -signal.SIGKILL) if killed else (0,)), answer
        self.kept = set(squares_kept(self.home)) if killed else self.kept | xs

    @rule(xs=GRIDS)
    def move_the_folder(self, xs: set[int]) -> None:
        """A folder that is moved under a run loses the piece in flight, and works moved back."""
        if not xs - self.kept:
            return
        DONE["folder moved"] += 1
        squares.prepare(sorted(xs))
        first = self._begun(holding=True)
        moved = (self.home / STORE).rename(self.around / "elsewhere")
        self.gate.unlink()
        answer = end(self.home, first)
        assert answer.status == 2 and answer.said.count("\n") == 1, answer
        moved.rename(self.home / STORE)

    def _begun(self, holding: bool) -> int:
        """A process of the command whose pieces do not end while the gate is there."""
        self.gate.touch()
        first = start(self.home, Watch(self.home), lambda: squares.wait_while(self.gate))
        deadline = time.monotonic() + squares.MOMENT
        while holding and self._holder() != str(first):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return first

    def _holder(self) -> str | None:
        return Store(self.home / STORE).holder()

    @invariant()
    def records_are_true(self) -> None:
        """What is known to be kept is read, every record is right, and nobody holds the folder."""
        found = squares_kept(self.home)
        assert found == {x: x * x for x in self.kept}
        assert self._holder() is None

    def teardown(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.around)


def main() -> int:
    """Drive the engine; raises what hypothesis found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="sequences; default: 100")
    parser.add_argument("--steps", type=int, default=12, help="of each, at most; default: 12")
    parser.add_argument("--seed", type=int, default=0, help="which; default: 0")
    asked = parser.parse_args()
    print(f"seed {asked.seed}: {asked.examples} sequences", flush=True)
    squares.prepare()
    told = settings(
        max_examples=asked.examples,
        stateful_step_count=asked.steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(asked.seed)(Engine), settings=told)
    print("; ".join(f"{name}: {number}" for name, number in sorted(DONE.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
