"""Run every check of the repository, all of them even after one fails, and say what failed.

``python tools/run_checks.py`` runs all but `machines` and `rows`, of which CI runs a part that
changes with the commit, and `mutations`, which takes hours; naming stages runs those:
``run_checks.py lint units``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from browsers import NAMES as BROWSERS
from cores import cores

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q"]
EACH_CORE = f"--numprocesses={cores()}"
# A module's tests stay together, since they share what is dear to make; conftest.py orders them.
SPREAD = [*PYTEST, EACH_CORE, "--dist=loadscope", "--no-loadscope-reorder"]
RENDERED = "tests/book/rendered"
IN_BROWSER = f"{RENDERED}/test_browser.py"
DIST = "_build/dist"


@dataclass(frozen=True)
class Stage:
    """One named group of commands; the stage passes when all of them do.

    Attributes:
        name: By which it is asked for.
        says: What it checks.
        commands: In their order.
        alone: Whether it keeps all cores busy. Neighbours that do not run side by side.
    """

    name: str
    says: str
    commands: tuple[list[str], ...]
    alone: bool = True


STAGES = (
    Stage("units", "unit and property tests", ([*SPREAD, "tests", f"--ignore={RENDERED}"],)),
    Stage(
        "notebooks",
        "every chapter, executed and held against its notebook (nbval)",
        ([sys.executable, "tools/compare_outputs.py"],),
    ),
    Stage(
        "lint",
        "rules and format (ruff), types (mypy); wheel and sdist, as an index would check them",
        (
            [sys.executable, "-m", "ruff", "check", "."],
            [sys.executable, "-m", "ruff", "format", "--check", "."],
            [sys.executable, "-m", "mypy"],  # its cache lies under _build
            [sys.executable, "-m", "build", "--quiet", "--no-isolation", "--outdir", DIST, "."],
            [sys.executable, "-m", "twine", "check", "--strict", f"{DIST}/*"],
        ),
        alone=False,
    ),
    Stage("book", "the strict book build", ([sys.executable, "tools/build_book.py"],), alone=False),
    Stage("pages", "the built pages, as files", ([*SPREAD, RENDERED, f"--ignore={IN_BROWSER}"],)),
    Stage("browser", "the built pages, in a browser", ([*PYTEST, EACH_CORE, IN_BROWSER],)),
)
MACHINES = [sys.executable, "tools/check_machines.py"]
WHOLE = Stage("machines", "every chapter, as other processors would round", (MACHINES,))
MUTATIONS = Stage(
    "mutations",
    "which claims fall when the book is broken, one place at a time",
    ([sys.executable, "tools/mutate_claims.py"],),
)
ROWS = Stage(
    "rows",
    "some stored rows, others with every commit, made again",
    ([sys.executable, "-m", "experiments", "verify", "--rotate", "20"],),
    alone=False,
)
APART = (WHOLE, MUTATIONS, ROWS)  # run where they are named
PART = Stage(
    "machines", "a few chapters, as another processor would round", ([*MACHINES, "--part"],)
)


def chosen(names: list[str]) -> list[Stage]:
    """The stages of these names; without names all, in CI a part of others too."""
    if names:
        return [stage for stage in (*STAGES, *APART) if stage.name in names]
    if not os.environ.get("CI"):
        return list(STAGES)
    there = [stage.name for stage in STAGES].index("book") + 1  # whose rendering takes one core
    return [*STAGES[:there], ROWS, *STAGES[there:], PART]


def run(stage: Stage, out: TextIO | None = None) -> tuple[str, float]:
    """Run one stage; return its outcome in words and its seconds.

    Args:
        stage: Whose commands.
        out: File for what is printed; the standard output by default.
    """
    say = partial(print, file=out or sys.stdout, flush=True)
    say(f"\n=== {stage.name}: {stage.says}")
    if stage.name == "browser" and not any(map(shutil.which, BROWSERS)):
        say(f"No browser on PATH ({', '.join(BROWSERS)}): the pages were not opened in one.")
        # A person without a browser still gets every other check; CI must not pass without it.
        return ("FAILED (no browser)" if os.environ.get("CI") else "NOT RUN (no browser)"), 0.0
    start = time.monotonic()
    run_one = partial(subprocess.run, cwd=ROOT, stdout=out, stderr=out and subprocess.STDOUT)
    codes = [run_one(command).returncode for command in stage.commands]
    return ("FAILED" if any(codes) else "passed"), time.monotonic() - start


def run_all(stages: list[Stage]) -> Iterator[tuple[Stage, str, float]]:
    """Run stages, side by side those that leave a core idle; each with its outcome and seconds."""
    for alone, group in groupby(stages, key=lambda stage: stage.alone):
        some = list(group)
        if alone or len(some) == 1:
            yield from ((stage, *run(stage)) for stage in some)
            continue
        with ExitStack() as stack, ThreadPoolExecutor(len(some)) as threads:
            files = [stack.enter_context(TemporaryFile("w+")) for _ in some]
            for stage, outcome, file in zip(
                some, threads.map(run, some, files), files, strict=True
            ):
                file.seek(0)
                print(file.read(), end="", flush=True)
                yield stage, *outcome


def main(names: list[str]) -> int:
    """Run the named stages, or all; print the table of outcomes; return the exit status."""
    known = [stage.name for stage in (*STAGES, *APART)]
    if unknown := sorted(set(names) - set(known)):
        print(f"unknown stage {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    outcomes = list(run_all(chosen(names)))
    print("\n=== summary")
    for stage, outcome, seconds in outcomes:
        print(f"{stage.name:<10} {outcome:<22} {seconds:6.0f} s   {stage.says}")
    failed = [stage.name for stage, outcome, _ in outcomes if outcome.startswith("FAILED")]
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
