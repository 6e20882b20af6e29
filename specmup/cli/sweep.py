"""``specmup sweep`` runs grids of language models, keeps each run, and goes on when started again.

``run`` does what is missing; ``status`` says how far it is; ``collect`` writes the table and its
manifest; ``plot`` draws loss against learning rate. The FILE says what the sweep is: see
book/sweeps/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specmup.cli.command import figure
from specmup.foreign import printable

if TYPE_CHECKING:  # torch is slow to import: only where it is needed
    from specmup.runs.store import Store
    from specmup.sweeps.configuration import Sweep

HELP = "run grids of language models, resumably; look at them, collect and draw them"
STOPPED = "stopped: finished runs are kept, the same command goes on"
FOLDER = Path("_build") / "sweeps"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = command.add_subparsers(dest="action", required=True)
    runs = actions.add_parser("run", help="carry out the runs that are not finished yet")
    add = runs.add_argument
    add("--device", default="cpu", help="cpu or cuda; default: cpu")
    add("--workers", type=int, help="runs side by side; default: one a core, or one a GPU")
    add("--text-folder", type=Path, help="of train.bin and val.bin, for a text not built in")
    add("--dry-run", action="store_true", help="run nothing, and say what it would cost")
    add("--on", metavar="GPU", help="with --dry-run: state the hours on a100, h100, …")
    actions.add_parser("status", help="say how far it is")
    collect = actions.add_parser("collect", help="write the table of runs and its manifest")
    collect.add_argument("--partial", action="store_true", help="also when runs are missing")
    collect.add_argument("--results", type=Path, help="folder; default: the book's results")
    plot = actions.add_parser("plot", help="draw loss against learning rate, a line a size")
    text = "a file, .svg, .png or .pdf; default: NAME.svg"
    plot.add_argument("--figure", type=figure, help=text)
    for action in actions.choices.values():
        action.add_argument("file", type=Path, help="the sweep, a TOML file")
        text = f"where runs are kept; default: {FOLDER}/NAME"
        action.add_argument("--folder", type=Path, help=text)


def run(asked: argparse.Namespace) -> int:
    """Do what is asked; 1 if runs could not be carried out, else 0."""
    from specmup.runs.store import Store
    from specmup.sweeps.configuration import read_sweep
    from specmup.sweeps.record_check import check_record
    from specmup.sweeps.run import Run

    sweep = read_sweep(asked.file)
    store = Store(asked.folder or FOLDER / sweep.name, Run, check_record)
    return ACTIONS[asked.action](asked, sweep, store)


def _run(asked: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.rehearsal import rehearse
    from specmup.sweeps.runner import run_sweep
    from specmup.sweeps.tables import dry_run, status

    try:
        rehearse(sweep, asked.text_folder)
    except ValueError as problem:
        raise ValueError(f"{asked.file}: {problem}") from problem
    if asked.dry_run:
        print(dry_run(sweep, store.read(), asked.on))
        return 0
    outcome = run_sweep(
        sweep,
        store,
        workers=asked.workers,
        device=asked.device,
        text_folder=asked.text_folder,
    )
    for path in outcome.corrupt:
        print(f"a record could not be read: it is kept as {path}, and its run was done again")
    print(status(sweep, store))
    for one, reason in outcome.failed[:3]:
        about = f"{one.rule} {one.optimizer}, width {one.width}, depth {one.depth}"
        said = printable(str(reason).partition("\n")[0])
        print(f"failed: {about}: {type(reason).__name__}: {said}", file=sys.stderr)
    if outcome.failed:
        print(f"{len(outcome.failed)} runs failed; the same command tries again", file=sys.stderr)
    return int(bool(outcome.failed))


def _status(asked: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.tables import status

    print(status(sweep, store))
    return 0


def _collect(asked: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.collect import collect

    try:
        print(collect(sweep, store.read(), partial=asked.partial, folder=asked.results))
    except FileNotFoundError as problem:  # outside the book's repository
        raise ValueError(f"{problem}; or name a folder with --results") from problem
    return 0


def _plot(asked: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.figures.style import save_figure
    from specmup.runs.store import RunError
    from specmup.sweeps.collect import finished_and_missing, frame_of
    from specmup.sweeps.figure import draw

    done, _ = finished_and_missing(sweep, store.read())
    if not done:
        raise RunError(f"no run of {sweep.name} is finished in {store.folder}: run it first")
    path = asked.figure or f"{sweep.name}.svg"
    save_figure(draw(frame_of(done), sweep.base), path)
    print(path)
    return 0


ACTIONS = {"run": _run, "status": _status, "collect": _collect, "plot": _plot}
