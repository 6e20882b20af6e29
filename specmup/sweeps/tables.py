"""What a sweep will cost and how far it is, as text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.estimate import (
    DEVICES,
    UTILISATION,
    CostModel,
    device_seconds,
    flops,
    memory,
    parameters,
)
from specmup.sweeps.growth import wanted
from specmup.sweeps.run import Run
from specmup.sweeps.runner import duration
from specmup.sweeps.store import Kept, Store


def dry_run(sweep: Sweep, kept: Kept, device: str | None = None) -> str:
    """Runs, parameters, tokens, FLOPs, memory a run and hours, by size, without running any.

    Args:
        sweep: The sweep; its grids as they are, before they extend themselves.
        kept: Finished runs, which tell how fast this machine is.
        device: A key of :data:`specmup.sweeps.estimate.DEVICES` on which to state the hours.

    Raises:
        ValueError: If there is no such device.
    """
    runs = wanted(sweep, {})
    if device is not None:
        device_seconds([], device)  # refuses an unknown one
    measured = CostModel.fitted(kept.records.values())

    def hours(some: Sequence[Run]) -> str:
        if device is not None:
            return f"{device_seconds(some, device) / 3600:.3g}"
        if measured is not None:
            return f"{sum(map(measured.seconds, some)) / 3600:.3g}"
        return "?"

    head = ("width", "depth", "runs", "parameters", "tokens", "FLOPs", "MB a run", "hours")
    by_size = defaultdict(list)
    for run in runs:
        by_size[run.width, run.depth].append(run)
    rows = [
        (
            *map(str, size),
            str(len(some)),
            f"{parameters(some[0].shape):.3g}",
            f"{sum(run.tokens for run in some):.3g}",
            f"{sum(map(flops, some)):.3g}",
            f"{max(map(memory, some)) / 1e6:.0f}",
            hours(some),
        )
        for size, some in sorted(by_size.items())
    ]
    total = ("all", "", str(len(runs)), "", f"{sum(r.tokens for r in runs):.3g}")
    rows.append((*total, f"{sum(map(flops, runs)):.3g}", "", hours(runs)))
    lines = [_table([head, *rows]), _source_of_hours(device, measured)]
    if (most := _extensions(sweep)) > 0:
        lines.append(f"grids may extend themselves, by {most} runs at most, which are not counted")
    if done := len(runs) - len(finished_and_missing(sweep, kept)[1]):
        lines.append(f"of these, {done} are finished")
    return "\n".join(lines)


def status(sweep: Sweep, store: Store) -> str:
    """How far each rule and optimizer is, and what else the folder holds."""
    kept = store.read()
    done, missing = finished_and_missing(sweep, kept)
    counts = defaultdict(lambda: [0, 0, 0])
    for record in done:
        line = counts[record.run.optimizer, record.run.rule]
        line[0] += 1
        line[2] += math.isinf(record.loss)
    for run in [*(record.run for record in done), *missing]:
        counts[run.optimizer, run.rule][1] += 1
    rows = [(*key, f"{n} of {of}", str(bad)) for key, (n, of, bad) in sorted(counts.items())]
    lines = [_table([("optimizer", "rule", "finished", "diverged"), *rows])]
    model = CostModel.fitted(kept.records.values())
    if missing and model is not None:
        left = duration(sum(map(model.seconds, missing)))
        lines.append(f"{len(missing)} runs to go: about {left} of one worker's time")
    if others := len(kept.records) - len(done):
        lines.append(f"{others} records belong to other configurations: they are kept, not used")
    if kept.corrupt:
        lines.append(f"{len(kept.corrupt)} records cannot be read: run sets them aside")
    if (holder := store.holder()) is not None:
        lines.append(f"process {holder} is running it")
    return "\n".join(lines)


def _source_of_hours(device: str | None, measured: CostModel | None) -> str:
    if device is not None:
        return (
            f"hours: on one {device} at {UTILISATION:.0%} of {DEVICES[device] / 1e12:.0f} TFLOP/s, "
            "one run at a time; small models reach less"
        )
    if measured is not None:
        return f"hours: of one worker here, by what {measured.runs} finished runs took"
    return f"hours: no run is finished here yet; state a GPU with --on: {', '.join(DEVICES)}"


def _extensions(sweep: Sweep) -> int:
    curves = [(grid, sum(map(len, sweep.families(grid)))) for grid in sweep.grid]
    return sum(2 * grid.extend * len(grid.seeds) * number for grid, number in curves)


def _table(rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
