"""Try a GPU: the tests marked for it, and a slice of the paper's grid beside the same on a CPU.

``make gpu`` prints what a report needs: card, driver and torch; how many tests passed; the slice's
losses beside the CPU's; throughput and peak memory of one run at the grid's own context. It takes
some minutes, and downloads nothing. Without a GPU it says what to do and ends with status 77, of
which make makes its own 2; ``python tools/try_gpu.py --device cpu`` then goes through the slice at
a smaller size. Status 1: a test failed, a run could not be carried out or a loss is outside the
tolerance.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from graphics_cards import machine, missing

from specmup.aligned import markdown_table
from specmup.data.text import KING_JAMES
from specmup.runs.store import Store
from specmup.sweeps.configuration import Grid, Sweep, read_sweep
from specmup.sweeps.estimate import flops, memory
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.sweeps.runner import run_sweep
from specmup.sweeps.work import execute

ROOT = Path(__file__).resolve().parent.parent
GRID = ROOT / "book" / "sweeps" / "zheng2026.toml"
NO_GPU = 77  # what test runners take for: not tried
OPTIMIZERS = {"muon-kimi": -7, "muon": -5, "shampoo": -6, "sophia": -13}  # at rates of the grid
# Of a validation loss: bfloat16 keeps eight bits, and kernels add in orders of their own.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Alone:
    """The run that is timed: its sizes, its context, and parts of twelve windows a step."""

    width: int
    depth: int
    context: int
    parts: int


@dataclass(frozen=True)
class Size:
    """How much is tried.

    Args:
        training: Of the runs that are compared, in place of the grid's.
        vocabulary: Tokens of the built-in text.
        context: Of the runs that are compared.
        widths: Of these, at the base's depth.
        alone: The run that is timed.
        steps: Of the latter, after as many that are not counted.
    """

    training: dict
    vocabulary: int
    context: int
    widths: tuple[int, ...]
    alone: Alone
    steps: int


BRIEF = {"steps": 20, "warm_up": 4, "batch_size": 8, "accumulation": 2, "validation_windows": 16}
SIZES = {
    "cuda": Size(BRIEF, 1024, 128, (128, 256), Alone(1024, 4, 1024, parts=2), 100),
    "cpu": Size(BRIEF | {"steps": 4}, 512, 16, (64,), Alone(64, 1, 32, parts=1), 8),
}


def slice_of(sweep: Sweep, size: Size) -> Sweep:
    """Some runs of the grid, brief and on the text that is built in; all else is as there."""
    grids = [
        Grid(rules=["sp", "k2"], optimizers=[name], log2_lr=[rate], widths=size.widths)
        for name, rate in OPTIMIZERS.items()
    ]
    return replace(
        sweep,
        name=f"{sweep.name}-slice",
        text={"source": KING_JAMES, "vocabulary": size.vocabulary},
        model={**sweep.model, "context": size.context},
        training={**sweep.training, **size.training},
        grid=grids,
    )


def plain(sweep: Sweep) -> Sweep:
    """The same mathematics in the plainest way: in float32, nothing compiled."""
    return replace(sweep, training={**sweep.training, "autocast": False, "compile": False})


def losses(sweep: Sweep, device: str, folder: Path) -> dict[tuple, float]:
    """Validation losses of a sweep by what tells its runs apart.

    Raises:
        RuntimeError: If a run could not be carried out.
    """
    outcome = run_sweep(sweep, Store(folder, Run), device=device)
    for run, problem in outcome.failed:
        raise RuntimeError(f"{_named(run)} could not be carried out: {problem}") from problem
    return {_named(r.job): float(r.result["loss"]) for r in outcome.records.values()}


def _named(run: Run) -> tuple:
    return run.optimizer, run.rule, run.width


def apart(here: float, there: float) -> float:
    """How far two losses are apart, in units of the first; infinite if one is no number."""
    gap = abs(there - here) / abs(here)
    return gap if gap == gap else float("inf")


def compared(here: dict[tuple, float], there: dict[tuple, float], device: str) -> tuple[str, bool]:
    """A table of losses side by side, and whether all are within the tolerance."""
    rows, gaps = [], {key: apart(here[key], there[key]) for key in here}
    for key, gap in gaps.items():
        word = "agrees" if gap <= TOLERANCE else "DISAGREES"
        rows.append([*map(str, key), f"{here[key]:.4f}", f"{there[key]:.4f}", f"{gap:.1e}", word])
    head = ["optimizer", "rule", "width", "CPU, float32", f"{device}, as the grid", "apart", ""]
    return markdown_table(head, rows), max(gaps.values()) <= TOLERANCE


def measured(sweep: Sweep, size: Size, device: str) -> list[str]:
    """Lines on one run: tokens and operations a second, peak memory, each beside its estimate."""
    one, batch = size.alone, 12 * size.alone.parts  # of twelve windows a part, as the grid
    told = replace(
        sweep,
        model={**sweep.model, "context": one.context},
        training={
            **sweep.training,
            **{"batch_size": batch, "accumulation": one.parts, "validation_windows": 12},
        },
        base={**sweep.base, "depth": one.depth},
        grid=[Grid(["k2"], ["muon-kimi"], [-7], widths=[one.width])],
    )
    (run,) = requested_runs(told, {})
    brief, long = (_lasting(run, steps) for steps in (size.steps, 2 * size.steps))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    # The first compiles; what else it takes to begin and to judge is in both of the others.
    _, before, whole = (execute(r, device=_device(device))["seconds"] for r in (brief, brief, long))
    seconds = whole - before
    tokens, work = long.tokens - brief.tokens, flops(long) - flops(brief)
    pace = "steps were too short to be told from how a run begins"
    if seconds > 0:
        pace = f"{tokens / seconds:,.0f} tokens/s, {work / seconds / 1e12:.3g} TFLOP/s"
    lines = [
        f"one run           width {run.width}, depth {run.depth}, context {one.context}, "
        f"{batch} windows a step",
        f"throughput        {pace}",
    ]
    if device == "cuda":
        taken = torch.cuda.max_memory_allocated()
        lines.append(f"peak memory       {taken / 1e9:.2f} GB, {memory(run) / 1e9:.2f} by estimate")
    else:
        lines.append(
            f"peak memory       not measured on a CPU; {memory(run) / 1e9:.3f} GB by estimate"
        )
    return lines


def _lasting(run: Run, steps: int) -> Run:
    return replace(run, training={**run.training, "steps": steps, "warm_up": steps // 4})


def _device(device: str) -> str:
    return "cuda:0" if device == "cuda" else device


def tests(folder: Path) -> tuple[str, bool]:
    """Run those that are marked; how many passed, and whether all did."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests", f"--junitxml={report}"]
    subprocess.run(command, cwd=ROOT, check=False)
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if suite is None:
        return "tests             could not be run", False
    count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
    bad = count["failures"] + count["errors"]
    passed = count["tests"] - bad - count["skipped"]
    said = f"tests             {passed} passed, {bad} failed, {count['skipped']} skipped"
    return said, passed > 0 and not bad


def report(device: str) -> bool:
    """Print it, piece by piece; whether all is as it should be."""
    size, sweep, began = SIZES[device], read_sweep(GRID), time.monotonic()
    small = slice_of(sweep, size)
    print("\n".join(machine()), flush=True)
    with TemporaryDirectory() as folder:
        said, good = tests(Path(folder))
        print(said, flush=True)
        here = losses(plain(small), "cpu", Path(folder) / "cpu")
        there = losses(small, device, Path(folder) / device)
    table, near = compared(here, there, device)
    print(f"losses            within {TOLERANCE:.0%}: {'yes' if near else 'NO'}\n\n{table}\n")
    print("\n".join(measured(small, size, device)))
    print(f"time              {time.monotonic() - began:.0f} s")
    return good and near


def main(arguments: Sequence[str] | None = None) -> int:
    """Go through it; the status that the module's first lines tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=SIZES, default="cuda")
    device = parser.parse_args(arguments).device
    if device == "cuda" and (why := missing()):
        print(why, file=sys.stderr)
        return NO_GPU
    return int(not report(device))


if __name__ == "__main__":
    sys.exit(main())
