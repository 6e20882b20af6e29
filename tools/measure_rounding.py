"""Measure how far rounding alone moves the slices that chapters make again.

``python tools/measure_rounding.py`` does so for every stored result, and naming results for those:
``… one-map-depth ridge``. Each slice is made in the ways of :mod:`processors`, every way in a
process of its own, one process a core; the spread is written into the result's manifest. What has
been made is kept in ``_build/rounding`` until the code changes, so a stopped measurement goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from note_task_sources import READ
from processors import perturb_starts, ways_here

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "book" / "results"
sys.path.append(str(ROOT / "book" / "_ext"))  # where the book's cache gets its fingerprint from


def kept() -> Path:
    """The folder of what the present code has made: a folder a way, and in it a file a result."""
    from fresh_execution import fingerprint

    sweeps = (path.relative_to(ROOT).as_posix() for path in READ.values())
    code = ("specmup", "book/experiments", *sweeps, "requirements.txt")
    return ROOT / "_build" / "rounding" / fingerprint(ROOT, code)[:16]


def make(names: list[str], folder: Path) -> None:
    """Make the slices of some results in this process and keep them as NAME.pkl in a folder."""
    perturb_starts()
    from experiments.again import slice_of
    from specmup.runs.results import load

    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / f"{name}.pkl"
        if not path.exists():
            pd.to_pickle(tuple(slice_of(load(name, RESULTS))), path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
        print(f"made {name}, {folder.name}", flush=True)


def make_in_every_way(names: list[str], folder: Path) -> None:
    """The same in a process a way, each with a folder of its own.

    Raises:
        subprocess.CalledProcessError: If one fails.
    """

    def one(way: tuple[str, dict[str, str]]) -> None:
        name, settings = way
        command = [sys.executable, __file__, "--into", folder / name, *names]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
        subprocess.run(command, env=variables, cwd=ROOT, check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, ways_here().items()))


def write(name: str, folder: Path) -> None:
    """Put the spread of one result into its manifest."""
    from experiments.reading.rounding import measured_rounding

    made = {way: pd.read_pickle(folder / way / f"{name}.pkl") for way in ways_here()}
    first, on, values = next(iter(made.values()))
    measured = measured_rounding({way: frame for way, (frame, _, _) in made.items()}, on, values)
    path = RESULTS / f"{name}.json"
    manifest = {**json.loads(path.read_text(encoding="utf-8")), "rounding": measured}
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    moved = ", ".join(f"{value} {len(rows)}" for value, rows in measured["spread"].items())
    print(f"{name}: {len(first)} rows, of which rounding moves by more than the floor: {moved}")


def main(arguments: list[str]) -> None:
    """Measure the named results, or all."""
    if arguments[:1] == ["--into"]:
        make(arguments[2:], Path(arguments[1]))
        return
    # An experiment's name will do for its result's.
    names = [name.replace("_", "-") for name in arguments]
    names, folder = names or sorted(path.stem for path in RESULTS.glob("*.json")), kept()
    make_in_every_way(names, folder)
    for name in names:
        write(name, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
