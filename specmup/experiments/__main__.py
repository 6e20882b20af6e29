"""Run an experiment and keep its results: ``python -m specmup.experiments NAME --scale reference``.

Finished pieces are kept under ``_build/experiments``, so a run that was stopped goes on where it
was. When all are done, the table and its manifest are written to ``book/results``.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import specmup.experiments
from specmup.lab.results import save

PIECES = Path("_build") / "experiments"
PLUMBING = ("__main__", "pieces")


def names() -> list[str]:
    """Names of all experiments: the modules beside this one."""
    found = (module.name for module in iter_modules(specmup.experiments.__path__))
    return sorted(name for name in found if name not in PLUMBING)


def main() -> None:
    """Run one experiment at one scale."""
    parser = argparse.ArgumentParser(prog="python -m specmup.experiments", description=__doc__)
    parser.add_argument("name", choices=names())
    parser.add_argument("--scale", default="reference", help="one of the experiment's SCALES")
    asked = parser.parse_args()
    experiment = import_module(f"specmup.experiments.{asked.name}")
    if asked.scale not in experiment.SCALES:
        parser.error(f"{asked.name} has the scales {', '.join(experiment.SCALES)}")
    frame, seconds = experiment.run(asked.scale, PIECES / asked.name)
    path = save(
        frame,
        asked.name.replace("_", "-"),
        scale=asked.scale,
        configuration=dict(experiment.SCALES[asked.scale]),
        wall_seconds=seconds,
    )
    print(f"{len(frame)} rows in {path}")


if __name__ == "__main__":
    main()
