"""Run experiments and keep their results.

    python -m experiments NAME … --scale reference
    python -m experiments verify NAME

One piece is made on each core, on one thread. Finished pieces are kept under
``_build/experiments``, so a run that was stopped goes on where it was. When all of an experiment's
are done, its table and manifest are written to ``book/results``. What ``verify`` does, and what it
may be told, says ``python -m experiments verify --help``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import experiments
from experiments.settings import settings_of
from specmup.cli.command import OneLineParser, add_engine, engine
from specmup.cli.stopping import stopped_in_one_line
from specmup.extras import MissingExtra
from specmup.runs.experiment import ExperimentResult
from specmup.runs.manifest import SCALES
from specmup.runs.store import RunError

PIECES = Path("_build") / "experiments"
PLUMBING = ("__main__", "again", "brief_gpt", "declared", "settings", "small_gpt", "verify")


def names() -> list[str]:
    """Names of all experiments: the modules beside this one."""
    beside = iter_modules(experiments.__path__)
    return sorted(m.name for m in beside if not m.ispkg and m.name not in PLUMBING)


def main() -> None:
    """Run some experiments at one scale, or verify rows of one."""
    if sys.argv[1:2] == ["verify"]:
        from experiments.verify import main as verify

        with stopped_in_one_line("stopped"):
            sys.exit(verify(sys.argv[2:]))
    parser = OneLineParser(prog="python -m experiments", description=__doc__)
    parser.add_argument(
        "names", nargs="+", choices=names(), metavar="NAME", help=", ".join(names())
    )
    parser.add_argument("--scale", default="reference", choices=SCALES, help="how large")
    about = "pieces made at a time; default: one a core"
    parser.add_argument("--workers", type=int, help=about)
    add_engine(parser)
    args = parser.parse_args()
    modules = {name: import_module(f"experiments.{name}") for name in args.names}
    for name, module in modules.items():
        if args.scale not in module.EXPERIMENT.scales:
            parser.error(f"{name} has the scales {', '.join(module.EXPERIMENT.scales)}")
    with stopped_in_one_line("stopped: finished pieces are kept, the same command goes on"):
        try:
            with engine(args) as cluster:
                for name, module in modules.items():
                    experiment, folder = module.EXPERIMENT, PIECES / name
                    made = experiment.run(args.scale, folder, args.workers, cluster=cluster)
                    said = experiment.described(args.scale) | {"settings": settings_of(module)}
                    _save(made, name, args.scale, said)
        except (MissingExtra, RunError) as problem:
            parser.error(str(problem))


def _save(made: ExperimentResult, name: str, scale: str, described: Mapping[str, Any]) -> None:
    try:
        path = made.save(name.replace("_", "-"), scale=scale, configuration=described)
    except OSError as problem:
        raise RunError(f"the table of {name} cannot be written: {problem}") from problem
    print(f"{len(made.frame)} rows in {path}")


if __name__ == "__main__":
    main()
