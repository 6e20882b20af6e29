"""``specmup sweep`` runs grids of language models, keeps each run, and goes on when started again.

``run`` does what is missing; ``status`` says how far it is; ``collect`` writes the table and its
manifest; ``plot`` draws loss against learning rate. ``slurm`` writes the script of an array job
whose tasks run a part each, and ``gather`` puts together what they made. ``verify`` makes some
finished runs again. The FILE says what the sweep is: see book/sweeps/.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specmup.cli.command import add_engine, engine, figure
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
    _add_machine(runs)
    add_engine(runs)
    add("--part", type=_part, metavar="I/N", help="of N parts that number from 0; default: all")
    add("--dry-run", action="store_true", help="run nothing, and say what it would cost")
    add("--on", metavar="GPU", help="with --dry-run: state the hours on a100, h100, …")
    actions.add_parser("status", help="say how far it is")
    collect = actions.add_parser("collect", help="write the table of runs and its manifest")
    collect.add_argument("--partial", action="store_true", help="also when runs are missing")
    collect.add_argument("--results", type=Path, help="folder; default: the book's results")
    plot = actions.add_parser("plot", help="draw loss against learning rate, a line a size")
    text = "a file, .svg, .png or .pdf; default: NAME.svg"
    plot.add_argument("--figure", type=figure, help=text)
    slurm = actions.add_parser("slurm", help="write the script of an array job: pipe it to sbatch")
    slurm.add_argument("--tasks", type=int, required=True, help="of the array, a part each")
    text = "for sbatch, such as --sbatch=--time=4:00:00; as often as you like"
    slurm.add_argument("--sbatch", action="append", default=[], metavar="OPTION", help=text)
    _add_machine(slurm)
    actions.add_parser("gather", help="copy what the parts made into the sweep's folder")
    verify = actions.add_parser("verify", help="make some finished runs again, and compare")
    verify.add_argument("--runs", type=int, default=3, help="how many; default: 3")
    verify.add_argument("--seed", type=int, help="chooses them; default: another each time")
    _add_device(verify)
    for action in actions.choices.values():
        action.add_argument("file", type=Path, help="the sweep, a TOML file")
        text = f"where runs are kept; default: {FOLDER}/NAME"
        action.add_argument("--folder", type=Path, help=text)


def _add_machine(command: argparse.ArgumentParser) -> None:
    """What runs need to be told of the machine that they are carried out on."""
    about = "runs side by side; default: one a core, or one a GPU"
    command.add_argument("--workers", type=int, help=about)
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    """Where a run is carried out, and on what."""
    command.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    about = "of train.bin and val.bin, for a text not built in"
    command.add_argument("--text-folder", type=Path, help=about)


def _part(text: str) -> tuple[int, int]:
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: write I/N, such as 0/8")
    return int(number), int(of)


def run(args: argparse.Namespace) -> int:
    """Do what is asked; 1 if runs could not be carried out, else 0."""
    from specmup.runs.store import Store
    from specmup.sweeps.configuration import read_sweep
    from specmup.sweeps.record_check import check_record
    from specmup.sweeps.run import Run

    sweep = read_sweep(args.file)
    store = Store(args.folder or FOLDER / sweep.name, Run, check_record)
    return ACTIONS[args.action](args, sweep, store)


def _run(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.parts import Part
    from specmup.sweeps.rehearsal import rehearse
    from specmup.sweeps.runner import run_sweep
    from specmup.sweeps.tables import dry_run, status

    part = Part(*args.part) if args.part else None
    try:
        rehearse(sweep, args.text_folder)
    except ValueError as problem:
        raise ValueError(f"{args.file}: {problem}") from problem
    if args.dry_run:
        print(dry_run(sweep, store.read(), args.on))
        return 0
    with engine(args) as cluster:
        outcome = run_sweep(
            sweep,
            store,
            workers=args.workers,
            device=args.device,
            text_folder=args.text_folder,
            part=part,
            cluster=cluster,
        )
    for path in outcome.corrupt:
        kept = printable(str(path))
        print(f"a record could not be read: it is kept as {kept}, and its run was done again")
    print(status(sweep, store))
    if outcome.failed:
        print(f"{len(outcome.failed)} runs failed; the same command tries again", file=sys.stderr)
    return int(bool(outcome.failed))


def _status(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.tables import status

    print(status(sweep, store))
    return 0


def _collect(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.collect import collect

    try:
        print(collect(sweep, store.read(), partial=args.partial, folder=args.results))
    except FileNotFoundError as problem:  # outside the book's repository
        raise ValueError(f"{problem}; or name a folder with --results") from problem
    return 0


def _plot(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.figures.style import save_figure
    from specmup.runs.store import RunError
    from specmup.sweeps.collect import finished_and_missing, frame_of
    from specmup.sweeps.figure import draw

    done, _ = finished_and_missing(sweep, store.read())
    if not done:
        raise RunError(f"no run of {sweep.name} is finished in {store.folder}: run it first")
    path = args.figure or f"{sweep.name}.svg"
    save_figure(draw(frame_of(done), sweep.base), path)
    print(path)
    return 0


def _slurm(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.slurm import array_script

    named = {"folder": store.folder, "device": args.device, "workers": args.workers}
    named["text-folder"] = args.text_folder
    options = [f"--{name}={value}" for name, value in named.items() if value is not None]
    script = array_script(sweep, args.file, args.tasks, options=options, directives=args.sbatch)
    print(script, end="")
    return 0


def _gather(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.parts import gather

    told = gather(sweep, store)
    print(f"{told.taken} runs were gathered, {told.found} were there")
    for path in told.corrupt:
        lost = printable(str(path))
        print(f"{lost} cannot be read: its part makes it again when it is run", file=sys.stderr)
    return 0


def _verify(args: argparse.Namespace, sweep: Sweep, store: Store) -> int:
    from specmup.sweeps.runner import refuse_device
    from specmup.sweeps.verify import chosen, made_again
    from specmup.sweeps.work import Executor

    refuse_device(args.device)
    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    contents = store.read()
    for path, why in contents.corrupt.items():
        print(f"{printable(path.name)} cannot be read ({why}): not verified", file=sys.stderr)
    records = chosen(sweep, contents, args.runs, seed)
    print(f"seed {seed}: {len(records)} runs", flush=True)
    agree = not contents.corrupt
    for one in made_again(records, Executor(args.device, args.text_folder)):
        print(one, flush=True)
        agree &= one.verdict != "DISAGREES"
    return int(not agree)


ACTIONS = {
    "verify": _verify,
    "run": _run,
    "status": _status,
    "collect": _collect,
    "plot": _plot,
    "slurm": _slurm,
    "gather": _gather,
}
