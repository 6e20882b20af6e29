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
from dataclasses import dataclass
from pathlib import Path

from browsers import NAMES as BROWSERS
from cores import cores

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q"]
EACH_CORE = f"--numprocesses={cores()}"
# A module's tests stay together, since they share what is dear to make.
SPREAD = [*PYTEST, EACH_CORE, "--dist=loadscope"]
RENDERED = "tests/book/rendered"
IN_BROWSER = f"{RENDERED}/test_browser.py"
DIST = "_build/dist"


@dataclass(frozen=True)
class Stage:
    """One named group of commands; the stage passes when all of them do."""

    name: str
    says: str
    commands: tuple[list[str], ...]


STAGES = (
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
    ),
    Stage("units", "unit and property tests", ([*SPREAD, "tests", f"--ignore={RENDERED}"],)),
    Stage(
        "notebooks",
        "every chapter, executed and held against its notebook (nbval)",
        ([sys.executable, "tools/compare_outputs.py"],),
    ),
    Stage("book", "the strict book build", ([sys.executable, "tools/build_book.py"],)),
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
)
APART = (WHOLE, MUTATIONS, ROWS)  # run where they are named
PART = Stage(
    "machines", "a few chapters, as another processor would round", ([*MACHINES, "--part"],)
)


def chosen(names: list[str]) -> list[Stage]:
    """The stages of these names; without names all, in CI a part of others too."""
    if names:
        return [stage for stage in (*STAGES, *APART) if stage.name in names]
    return [*STAGES, ROWS, PART] if os.environ.get("CI") else list(STAGES)


def run(stage: Stage) -> tuple[str, float]:
    """Run one stage; return its outcome in words and its seconds."""
    print(f"\n=== {stage.name}: {stage.says}", flush=True)
    if stage.name == "browser" and not any(map(shutil.which, BROWSERS)):
        print(f"No browser on PATH ({', '.join(BROWSERS)}): the pages were not opened in one.")
        # A person without a browser still gets every other check; CI must not pass without it.
        return ("FAILED (no browser)" if os.environ.get("CI") else "NOT RUN (no browser)"), 0.0
    start = time.monotonic()
    codes = [subprocess.run(command, cwd=ROOT).returncode for command in stage.commands]
    return ("FAILED" if any(codes) else "passed"), time.monotonic() - start


def main(names: list[str]) -> int:
    """Run the named stages, or all; print the table of outcomes; return the exit status."""
    known = [stage.name for stage in (*STAGES, *APART)]
    if unknown := sorted(set(names) - set(known)):
        print(f"unknown stage {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    outcomes = [(stage, *run(stage)) for stage in chosen(names)]
    print("\n=== summary")
    for stage, outcome, seconds in outcomes:
        print(f"{stage.name:<10} {outcome:<22} {seconds:6.0f} s   {stage.says}")
    failed = [stage.name for stage, outcome, _ in outcomes if outcome.startswith("FAILED")]
    print(f"failed: {', '.join(failed)}" if failed else "nothing failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
