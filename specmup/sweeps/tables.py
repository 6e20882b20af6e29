"""What a sweep will cost and how far it is, as text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product

import pandas as pd

from specmup.foreign import printable
from specmup.runs.job import Record
from specmup.runs.progress import duration
from specmup.runs.store import Store, StoreContents
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
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.parts import ungathered
from specmup.sweeps.run import Run


def dry_run(sweep: Sweep, contents: StoreContents, device: str | None = None) -> str:
    """Runs, parameters, tokens, FLOPs, memory a run and hours, by size, without running any.

    Args:
        sweep: The sweep; its grids as they are, before they extend themselves.
        contents: Finished runs, which tell how fast this machine is.
        device: A key of :data:`specmup.sweeps.estimate.DEVICES` on which to state the hours.

    Raises:
        ValueError: If there is no such device.
    """
    runs = requested_runs(sweep, {})
    if device is not None:
        device_seconds([], device)  # refuses an unknown one
    measured = CostModel.fitted(contents.records.values())

    def hours(some: Sequence[Run]) -> str:
        if device is not None:
            return f"{device_seconds(some, device) / 3600:.3g}"
        if measured is not None:
            return f"{sum(map(measured.seconds, some)) / 3600:.3g}"
        return "?"

    by_size = defaultdict(list)
    for run in runs:
        by_size[run.width, run.depth].append(run)
    rows = [
        {
            "width": size[0],
            "depth": size[1],
            "runs": len(some),
            "parameters": f"{parameters(some[0].shape):.3g}" if size[1] else "",
            "tokens": f"{sum(run.tokens for run in some):.3g}",
            "FLOPs": f"{sum(map(flops, some)):.3g}",
            "MB a run": f"{max(map(memory, some)) / 1e6:.0f}" if size[1] else "",
            "hours": hours(some),
        }
        for size, some in [*sorted(by_size.items()), (("all", ""), runs)]
    ]
    lines = [_aligned(rows), _source_of_hours(device, measured)]
    if done := sum(run.identity in contents.records for run in runs):
        lines.append(f"of these, {done} are finished")
    if (most := _extensions(sweep)) > 0:
        lines.append(f"grids may extend themselves, by {most} runs at most, which are not counted")
    return "\n".join(lines)


def status(sweep: Sweep, store: Store) -> str:
    """How far each grid is, rule by rule, and what else the folder holds."""
    contents = store.read()
    done, missing = finished_and_missing(sweep, contents)
    rows = [row for grid in sweep.grid for row in _progress(sweep, grid, contents)]
    rows.append({"grid": "all", **_counts(done, missing)})
    lines = [_aligned(rows)]
    model = CostModel.fitted(contents.records.values())
    if missing and model is not None:
        left = duration(sum(map(model.seconds, missing)))
        lines.append(f"{len(missing)} runs to go: about {left} of one worker's time")
    if (since := store.since_last()) is not None:
        lines.append(f"the last run ended {duration(since)} ago")
    if others := len(contents.records) - len(done):
        lines.append(f"{others} records belong to other configurations: they are kept, not used")
    if contents.corrupt:
        lines.append(f"{len(contents.corrupt)} records cannot be read, and run sets them aside:")
        some = islice(contents.corrupt.items(), 5)
        lines += [f"  {printable(path.name)}: {why}" for path, why in some]
    lines += _failed(missing, store.failures.read())
    if waiting := ungathered(store):
        lines.append(f"parts hold {waiting} runs more: specmup sweep gather takes them in")
    if (holder := store.holder()) is not None:
        lines.append(f"process {holder} is running it")
    return "\n".join(lines)


def _failed(missing: Sequence[Run], reasons: Mapping[str, str]) -> Iterator[str]:
    """Which runs to go could not be carried out when they were last tried, and why."""
    failed = [run for run in missing if run.identity in reasons]
    if failed:
        yield f"{len(failed)} of these failed when they were last tried:"
    for run in failed[:5]:
        about = f"{run.rule} {run.optimizer}, width {run.width}, depth {run.depth}"
        yield f"  {about}, log2 lr {run.log2_lr:g}: {printable(reasons[run.identity])}"


def _progress(sweep: Sweep, grid: Grid, contents: StoreContents) -> Iterator[dict[str, str]]:
    """The rows of a grid; what two grids share is counted in both."""
    done, missing = finished_and_missing(replace(sweep, grid=[grid]), contents)
    swept = {"width": grid.widths, "depth": grid.depths}
    over = [f"{axis} {_span(sizes)}" for axis, sizes in swept.items() if sizes]
    over += [f"{key} {value}" for key, value in {**grid.model, **grid.training}.items()]
    for key in product(grid.optimizers, grid.rules):
        ended = [record for record in done if (record.job.optimizer, record.job.rule) == key]
        left = [run for run in missing if (run.optimizer, run.rule) == key]
        yield {
            "grid": str(1 + sweep.grid.index(grid)),
            "optimizer": key[0],
            "rule": key[1],
            "over": ", ".join(over),
            "log2 lr": _span(run.log2_lr for run in (*(record.job for record in ended), *left)),
            **_counts(ended, left),
        }


def _counts(done: Sequence[Record], missing: Sequence[Run]) -> dict[str, str]:
    diverged = sum(math.isinf(record.result["loss"]) for record in done)
    return {"finished": f"{len(done)} of {len(done) + len(missing)}", "diverged": str(diverged)}


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


def _aligned(rows: Sequence[Mapping[str, object]]) -> str:
    return pd.DataFrame(rows).fillna("").to_string(index=False)
