"""What a sweep will cost and how far it is, as text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

from specmup.runs.progress import duration
from specmup.sweeps.collect import finished_and_missing
from specmup.sweeps.configuration import Grid, Sweep
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
from specmup.sweeps.store import Kept, Record, Store


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
    """How far each grid is, rule by rule, and what else the folder holds."""
    kept = store.read()
    done, missing = finished_and_missing(sweep, kept)
    head = ("grid", "optimizer", "rule", "over", "log2 lr", "finished", "diverged")
    rows = [row for grid in sweep.grid for row in _progress(sweep, grid, kept)]
    rows.append(("all", "", "", "", "", *_counts(done, missing)))
    lines = [_table([head, *rows])]
    model = CostModel.fitted(kept.records.values())
    if missing and model is not None:
        left = duration(sum(map(model.seconds, missing)))
        lines.append(f"{len(missing)} runs to go: about {left} of one worker's time")
    if (since := store.since_last()) is not None:
        lines.append(f"the last run ended {duration(since)} ago")
    if others := len(kept.records) - len(done):
        lines.append(f"{others} records belong to other configurations: they are kept, not used")
    if kept.corrupt:
        lines.append(f"{len(kept.corrupt)} records cannot be read: run sets them aside")
    if (holder := store.holder()) is not None:
        lines.append(f"process {holder} is running it")
    return "\n".join(lines)


def _progress(sweep: Sweep, grid: Grid, kept: Kept) -> Iterator[tuple[str, ...]]:
    """The rows of a grid; what two grids share is counted in both."""
    done, missing = finished_and_missing(replace(sweep, grid=[grid]), kept)
    swept = {"width": grid.widths, "depth": grid.depths}
    over = [f"{axis} {_span(sizes)}" for axis, sizes in swept.items() if sizes]
    over += [f"{key} {value}" for key, value in {**grid.model, **grid.training}.items()]
    for key in product(grid.optimizers, grid.rules):
        ended = [record for record in done if (record.run.optimizer, record.run.rule) == key]
        left = [run for run in missing if (run.optimizer, run.rule) == key]
        rates = [run.log2_lr for run in (*(record.run for record in ended), *left)]
        number = str(1 + sweep.grid.index(grid))
        yield (number, *key, ", ".join(over), _span(rates), *_counts(ended, left))


def _counts(done: Sequence[Record], missing: Sequence[Run]) -> tuple[str, str]:
    diverged = sum(math.isinf(record.loss) for record in done)
    return f"{len(done)} of {len(done) + len(missing)}", str(diverged)


def _span(numbers: Iterable[float]) -> str:
    low, high = min(numbers := list(numbers)), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} … {high:g}"


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
