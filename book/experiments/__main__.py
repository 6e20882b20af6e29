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
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import experiments
from experiments.settings import settings_of
from specmup.cli.command import OneLineParser
from specmup.extras import MissingExtra
from specmup.runs.manifest import SCALES
from specmup.runs.pool import cores
from specmup.runs.stopping import stopped_in_one_line
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
    parser.add_argument("--workers", type=int, default=cores(), help="pieces made at a time")
    asked = parser.parse_args()
    modules = {name: import_module(f"experiments.{name}") for name in asked.names}
    for name, module in modules.items():
        if asked.scale not in module.EXPERIMENT.scales:
            parser.error(f"{name} has the scales {', '.join(module.EXPERIMENT.scales)}")
    with stopped_in_one_line("stopped: finished pieces are kept, the same command goes on"):
        for name, module in modules.items():
            experiment = module.EXPERIMENT
            try:
                made = experiment.run(asked.scale, PIECES / name, asked.workers)
            except (MissingExtra, RunError) as problem:
                parser.error(str(problem))
            told = experiment.described(asked.scale) | {"settings": settings_of(module)}
            try:
                path = made.save(name.replace("_", "-"), scale=asked.scale, configuration=told)
            except OSError as problem:
                parser.error(f"the table of {name} cannot be written: {problem}")
            print(f"{len(made.frame)} rows in {path}")


if __name__ == "__main__":
    main()
