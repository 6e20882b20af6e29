"""A small experiment of squares, whose command runs in processes of its own, to be disturbed.

A process is forked from one that has imported all, so that a run takes a tenth of a second.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from file_faults import Watch

import experiments.__main__ as command
from experiments.declared import Experiment
from specmup.runs import manifest
from specmup.runs.store import Store

MOMENT = 60  # seconds after which a run of milliseconds has hung
NOTED = "pieces"  # the file, beside the folder where the command runs, that says what was made
_gate: Path | None = None  # while it is there, pieces do not end
STORE = Path("_build") / "experiments" / "squares"


@dataclass(frozen=True)
class Answer:
    """How the command ended: its exit status, or minus a signal, and what it said of errors."""

    status: int
    said: str


def wait_while(path: Path) -> None:
    """From now on, no piece of this process ends while a file is there."""
    globals()["_gate"] = path


def note(job: object) -> None:
    """Say, beside the folder where the command runs, that a job was begun."""
    with open(Path.cwd().parent / NOTED, "a") as file:
        file.write(f"{job}\n")


def square(*, x: int) -> pd.DataFrame:
    """One piece, which notes that it was made."""
    note(x)
    while _gate is not None and _gate.exists():
        time.sleep(0.005)
    return pd.DataFrame({"x": [x], "square": [x * x]})


def prepare(xs: Iterable[int] = (1, 2, 3, 4)) -> None:
    """Make this process one whose children can be the command that makes these squares."""
    sys.modules["experiments.squares"] = sys.modules[__name__]
    globals()["EXPERIMENT"] = Experiment(square, 1, ("x",), {"quick": {"x": list(xs)}}, ("square",))
    command.names = lambda: ["squares"]
    manifest.commit = lambda: "unknown"  # or each run would ask git
    manifest.package_version = lambda package: "2.0"  # and read files of every package


def make() -> None:
    """Call the command of the book's experiments."""
    sys.argv = ["experiments", "squares", "--scale", "quick", "--workers", "1"]
    command.main()


def start(
    home: Path,
    watch: Watch,
    at_first: Callable[[], None] = lambda: None,
    call: Callable[[], int | None] = make,
) -> int:
    """Begin the command in a folder that is watched; return its process.

    Args:
        home: The folder.
        watch: Counts its calls; they are written to ``calls`` beside the folder when it ends.
        at_first: Called in the process before all else.
        call: What calls the command.
    """
    if (child := os.fork()) == 0:
        at_first()
        _be_the_command(home, watch, call)
    return child


def end(home: Path, child: int) -> Answer:
    """Wait for the command to end."""
    _, status = os.waitpid(child, 0)
    if (path := said(home, child)).exists():  # else it was killed at once
        told = path.read_text()
        path.unlink()
    else:
        told = ""
    return Answer(os.waitstatus_to_exitcode(status), told)


def run(home: Path, watch: Watch, call: Callable[[], int | None] = make) -> Answer:
    """The command in a process of its own, from its begin to its end."""
    return end(home, start(home, watch, call=call))


def said(home: Path, child: int) -> Path:
    """What a process said of errors."""
    return home.parent / f"said-{child}"


def made(home: Path) -> Counter[str]:
    """How often each piece was made."""
    path = home.parent / NOTED
    return Counter(path.read_text().split() if path.exists() else [])


def squares_kept(home: Path) -> dict[int, int]:
    """What the records say."""
    kept = Store(home / STORE).read().records.values()
    return {r.job.options["x"]: r.result["rows"]["square"][0] for r in kept}


def _be_the_command(home: Path, watch: Watch, call: Callable[[], int | None]) -> None:
    """What the child does; it does not return."""
    status = 0
    signal.alarm(MOMENT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell takes it away
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(home)
    os.environ["SPECMUP_RESULTS"] = "results"
    for number, path in ((1, Path(os.devnull)), (2, said(home, os.getpid()))):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = open(1, "w"), open(2, "w")
    warnings.simplefilter("ignore")  # a damaged record is warned of, beside any answer
    watch.begin()
    try:
        status = call() or 0
    except SystemExit as left:
        status = int(left.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    (home.parent / "calls").write_text("\n".join(watch.calls))
    os._exit(status)
