"""From a sweep's records to one table of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from specmup.runs.experiment import ExperimentResult
from specmup.runs.job import Record
from specmup.runs.store import RunError, StoreContents
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.content import text_of_records
from specmup.sweeps.estimate import parameters
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run

SORT = ("normalisation", "optimizer", "rule", "weight_decay", "width", "depth", "log2_lr", "seed")


def losses(records: Mapping[str, Record]) -> dict[str, float]:
    """Validation loss by identity; ``inf`` for a run that diverged."""
    return {identity: record.result["loss"] for identity, record in records.items()}


def finished_and_missing(sweep: Sweep, contents: StoreContents) -> tuple[list[Record], list[Run]]:
    """Records that the sweep asks for, and runs that it asks for and that are not finished.

    Raises:
        RunError: If a record has the name of another run than it tells of.
    """
    records = contents.records
    runs = requested_runs(sweep, losses(records))
    for run in runs:
        if run.identity in records and records[run.identity].job.identity != run.identity:
            raise RunError(
                f"the record {run.identity}.json tells of another run than its name: delete it, "
                "and the run is done again"
            )
    done = [records[run.identity] for run in runs if run.identity in records]
    return done, [run for run in runs if run.identity not in records]


def frame_of(records: list[Record]) -> pd.DataFrame:
    """One row a run, sorted by what tells runs apart; both losses are ``inf`` if it diverged.

    Raises:
        RunError: If runs of one curve, whose rates and seeds alone may differ, have other options.
    """
    rows = [_row(record) for record in records]
    first: dict[tuple, Run] = {}
    for row, record in zip(rows, records, strict=True):
        curve = tuple(row[name] for name in SORT if name not in ("log2_lr", "seed"))
        one = first.setdefault(curve, record.job)
        if apart := _differences(one, record.job):
            raise RunError(
                f"runs that differ in {apart} would stand in one curve: give each grid a file of "
                "its own, and one --folder keeps what is finished"
            )
    return pd.DataFrame(rows).sort_values(list(SORT), ignore_index=True)


def _differences(one: Run, other: Run) -> str:
    """The options that two runs differ in, such as ``training.steps (10, 1000)``."""
    found: list[str] = []
    for table, told in vars(one).items():
        if isinstance(told, Mapping):
            others = getattr(other, table)
            found += (
                f"{table}.{name} ({told.get(name, 'not given')}, {others.get(name, 'not given')})"
                for name in {**told, **others}
                if told.get(name) != others.get(name)
            )
    return " and ".join(found)


def collect(
    sweep: Sweep,
    contents: StoreContents,
    *,
    partial: bool = False,
    folder: str | Path | None = None,
) -> Path:
    """Write the table and its manifest through :func:`specmup.runs.results.save`.

    Args:
        sweep: What was run.
        contents: What its store holds.
        partial: Also when runs are missing; the manifest then says how many.
        folder: Where to write; the book's results by default.

    Raises:
        RunError: If nothing is finished, runs are missing and ``partial`` is not set, or the
            runs were not trained on one text; further as :func:`frame_of`.
    """
    done, missing = finished_and_missing(sweep, contents)
    if not done or (missing and not partial):
        raise RunError(
            f"{len(missing)} of {len(done) + len(missing)} runs of {sweep.name} are not finished: "
            "run the sweep to its end, or collect what there is with --partial"
        )
    return ExperimentResult(frame_of(done), done).save(
        sweep.name,
        scale=sweep.scale,
        configuration={
            **asdict(sweep),
            "missing_runs": len(missing),
            "text_fingerprint": text_of_records(done),
        },
        folder=folder,
    )


def _row(record: Record) -> dict:
    run, result = record.job, record.result
    swept = ("width", "depth", "log2_lr", "weight_decay", "seed")
    return {
        "rule": run.rule,
        "optimizer": run.optimizer,
        "normalisation": run.shape.normalisation,
        **{name: getattr(run, name) for name in swept},
        "steps": run.recipe.steps,
        "batch_size": run.recipe.batch_size,
        "dtype": "bfloat16" if run.recipe.autocast else "float32",
        "parameters": parameters(run.shape),
        "tokens": run.tokens,
        "loss": float(result["loss"]),
        "train_loss": float(result["train_loss"]),
        "diverged_at": result["diverged_at"],
    }
