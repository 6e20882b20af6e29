"""The script of an array job for Slurm that carries out a sweep, a part by each task."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import join, quote

from specmup.sweeps.configuration import Sweep
from specmup.sweeps.growth import requested_runs

NUMBER = '"$SLURM_ARRAY_TASK_ID"'


def array_script(
    sweep: Sweep,
    file: Path,
    tasks: int,
    *,
    options: Sequence[str] = (),
    directives: Sequence[str] = (),
) -> str:
    """What ``sbatch`` reads.

    The command takes the place of the shell, so that it hears Slurm's signals itself. Every word is
    quoted: names of files and folders may hold anything but characters that cannot be printed.

    Args:
        sweep: What is run.
        file: That says so.
        tasks: Of the array; each carries out the part of its number.
        options: More words for ``specmup sweep run``.
        directives: Options for ``sbatch``, such as ``--time=4:00:00``; they come last and so
            overrule those that stand here.

    Raises:
        ValueError: If there are no tasks, more than runs, or a word has a character of control.
    """
    runs = len(requested_runs(sweep, {}))
    if not 1 <= tasks <= runs:
        raise ValueError(f"tasks is {tasks}: give 1 to {runs}, as many as the sweep has runs")
    here = Path.cwd()
    for word in (str(here), str(file), *options, *directives):
        if not word.isprintable():
            raise ValueError(f"{word!r} has characters that cannot be printed: name it otherwise")
    for word in directives:
        if not word.startswith("-"):
            raise ValueError(f"{word!r} is no option of sbatch: write --NAME=VALUE")
    own = [f"--job-name={sweep.name}", f"--array=0-{tasks - 1}", "--requeue", "--open-mode=append"]
    command = [sys.executable, "-m", "specmup", "sweep", "run", *options]
    return "\n".join(
        [
            "#!/bin/sh",
            *(f"#SBATCH {quote(word)}" for word in (*own, *directives)),
            "# Submitted again, it does what is missing. specmup sweep gather puts it together.",
            f"cd {quote(str(here))} || exit",
            f"exec {join(command)} --part {NUMBER}/{tasks} -- {quote(str(file))}",
            "",
        ]
    )
