"""Measured results kept beside the book: a CSV file of runs and a JSON manifest of their origin."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from specmup.lab.files import replacing
from specmup.lab.manifest import origin
from specmup.lab.progress import duration

FOLDER_VARIABLE = "SPECMUP_RESULTS"
COLUMN_KINDS = {"i": "int64", "f": "float64", "b": "bool"}
# Python reads back exactly what it wrote; pandas' own reader may be off by the last digit.
READ = {"int64": int, "float64": float, "bool": "True".__eq__, "str": str}


class Results(NamedTuple):
    """A table of runs and its manifest; unpacks as ``frame, manifest = load(name)``."""

    frame: pd.DataFrame
    manifest: dict[str, Any]

    @property
    def scale(self) -> str:
        """``"quick"``, ``"reference"`` or ``"gpu"``: the scale at which the runs were made."""
        return self.manifest["scale"]

    def describe(self) -> str:
        """One line for the reader: scale, number of runs, time, machine, date."""
        m = self.manifest
        machine = m["machine"]
        where = machine.get("accelerator") or f"{machine['cpu']}, {machine['cores']} cores"
        return (
            f"{m['name']}: scale {m['scale']}, {len(self.frame)} rows, "
            f"{duration(m['wall_seconds'])} on {where}, {m['date'][:10]}"
        )


class Disagreement(AssertionError):
    """A live run differs from the committed results by more than the tolerance."""


@dataclass(frozen=True, repr=False)
class Agreement:
    """The outcome of a live check that passed.

    Attributes:
        value: The column compared.
        rows: How many live rows were compared.
        largest: The largest relative difference found.
        tolerance: The relative difference allowed.
    """

    value: str
    rows: int
    largest: float
    tolerance: float

    def __str__(self) -> str:
        """Text such as ``agrees: loss of 12 live runs within 2% of the committed ones``."""
        return (
            f"agrees: {self.value} of {self.rows} live runs within {self.tolerance:.2g} "
            "(relative) of the committed ones"
        )

    __repr__ = __str__


def book_folder() -> Path:
    """The book: the nearest folder, from the working directory upwards, that holds ``_config.yml``.

    So it is found from the root and from ``chapters/``, where the cells run.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").is_file():
            return folder
    raise FileNotFoundError(
        f"no folder above {here} holds the book's _config.yml: "
        f"run inside the repository or set {FOLDER_VARIABLE}"
    )


def results_folder() -> Path:
    """Where results are kept: ``$SPECMUP_RESULTS`` if set, else ``book/results`` of the book.

    Raises:
        FileNotFoundError: If the variable is not set and there is no :func:`book_folder`.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    return book_folder() / "book" / "results"


def save(
    frame: pd.DataFrame,
    name: str,
    *,
    scale: str,
    configuration: Mapping[str, Any],
    wall_seconds: float,
    folder: str | Path | None = None,
) -> Path:
    """Write NAME.csv and NAME.json, each atomically; return the path of the CSV file.

    Floats are written with the fewest digits that read back exactly, infinities as ``inf``, so the
    same frame gives the same bytes everywhere. The index is not kept.

    Args:
        frame: One row a run; columns of integers, floats, booleans or strings.
        name: Lower-case letters, digits and hyphens, as in ``digits-depth``.
        scale: ``"quick"``, ``"reference"`` or ``"gpu"``.
        configuration: What was run, in values that JSON knows.
        wall_seconds: How long all the runs took together.
        folder: Where to write; :func:`results_folder` by default.

    Raises:
        ValueError: If the frame is empty or holds another type, or the name, scale, time or
            configuration cannot be recorded (a path of this machine among them).
    """
    csv_path, json_path = _paths(name, folder)
    columns = _columns(frame)
    text = frame.astype(columns).to_csv(index=False, lineterminator="\n", na_rep="nan")
    manifest = {
        "name": name,
        **origin(scale, configuration, wall_seconds),
        "rows": len(frame),
        "columns": columns,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    csv_path.parent.mkdir(parents=True, exist_ok=True)
    told = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for path, content in ((csv_path, text), (json_path, told)):
        with replacing(path) as file:
            file.write(content.encode())
    return csv_path


def significant(frame: pd.DataFrame, digits: int = 4) -> pd.DataFrame:
    """Each float with so many significant digits: more than seeds agree on, and a smaller file.

    Args:
        frame: Measured numbers among columns of other types, which stay as they are.
        digits: How many; 4 unless told.
    """
    measured = frame.select_dtypes("float").columns
    return frame.assign(**{c: [float(f"{v:.{digits}g}") for v in frame[c]] for c in measured})


def load(name: str, folder: str | Path | None = None) -> Results:
    """Read what :func:`save` wrote, with the same values and types.

    Raises:
        FileNotFoundError: If one of the two files is missing; the message lists what there is.
        ValueError: If they are corrupt or do not belong together.
    """
    csv_path, json_path = _paths(name, folder)
    for path in (csv_path, json_path):
        if not path.is_file():
            known = (
                sorted(p.stem for p in path.parent.glob("*.json")) if path.parent.is_dir() else []
            )
            raise FileNotFoundError(
                f"results {name!r} have no {path.name} in {path.parent.name}/ "
                f"(there: {', '.join(known) or 'nothing'}): restore it or run the experiment again"
            )
    remedy = "restore both files from the repository or run the experiment again"
    try:
        manifest = json.loads(json_path.read_text(encoding="utf-8"))
        columns, digest = manifest["columns"], manifest["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{json_path.name} is not a manifest ({error!r}): {remedy}") from error
    content = csv_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(
            f"{csv_path.name} is not the file that {json_path.name} describes: {remedy}"
        )
    text = pd.read_csv(io.BytesIO(content), dtype=str, na_filter=False)
    values = {c: text[c].map(READ[kind]).astype(kind) for c, kind in columns.items()}
    return Results(pd.DataFrame(values), manifest)


def agrees_with(
    live: pd.DataFrame,
    committed: pd.DataFrame,
    on: Sequence[str],
    *,
    value: str = "loss",
    tolerance: float = 0.02,
    absolute: float = 0.0,
) -> Agreement:
    """Check that runs made now reproduce the committed ones.

    Every live row must have exactly one committed row with the same ``on`` columns, and
    |live − committed| ≤ absolute + tolerance·max(|live|, |committed|). A run that diverged must
    have diverged in both.

    Args:
        live: The slice that was run again.
        committed: The stored results, of which ``live`` repeats a part.
        on: The columns that identify a run, such as ``["rule", "depth", "log2_lr", "seed"]``.
        value: The column compared.
        tolerance: Relative difference allowed.
        absolute: Absolute difference allowed beside it; for values that may come close to zero.

    Raises:
        Disagreement: If a run differs by more; the message names the worst one.
        ValueError: If there is nothing to compare, a column is missing, a run is repeated, or the
            committed results lack it.
    """
    on = list(on)
    _check_comparable(live, committed, on, value)
    pairs = live[[*on, value]].merge(
        committed[[*on, value]], on=on, how="left", suffixes=("_live", "_committed"), indicator=True
    )
    lacking = pairs[pairs["_merge"] == "left_only"]
    if len(lacking):
        raise ValueError(
            f"the committed results lack {len(lacking)} of {len(live)} live runs, "
            f"the first {_run(lacking.iloc[0], on)}: run a slice of what is stored"
        )
    now, then = (pairs[f"{value}_{side}"].to_numpy(float) for side in ("live", "committed"))
    differ = now != then  # not where both diverged
    gap = np.abs(np.where(differ, now, 0.0) - np.where(differ, then, 0.0))  # inf if one diverged
    largest = np.maximum(np.abs(now), np.abs(then))
    apart = np.isinf(gap) | (gap > absolute + tolerance * largest)
    relative = np.divide(gap, largest, where=differ & np.isfinite(gap), out=gap.copy())
    if apart.any():
        worst = int(np.argmax(np.where(apart, relative, -1.0)))
        raise Disagreement(
            f"disagrees: {apart.sum()} of {len(live)} live runs differ from the committed ones by "
            f"more than {tolerance:.2g}; the worst, {_run(pairs.iloc[worst], on)}, "
            f"has {value} {now[worst]:.6g} now and {then[worst]:.6g} then"
        )
    return Agreement(value, len(live), float(relative.max()), tolerance)


def _check_comparable(
    live: pd.DataFrame, committed: pd.DataFrame, on: list[str], value: str
) -> None:
    for label, frame in (("live", live), ("committed", committed)):
        missing = [c for c in (*on, value) if c not in frame.columns]
        if missing:
            raise ValueError(f"the {label} frame lacks {missing}; it has {list(frame.columns)}")
        if frame.empty:
            raise ValueError(f"the {label} frame is empty: there is nothing to compare")
        if frame[value].isna().any():
            raise ValueError(f"the {label} frame has a {value} of nan: a diverged run is inf")
        repeated = frame[frame.duplicated(on)]
        if len(repeated):
            raise ValueError(
                f"the {label} frame has {_run(repeated.iloc[0], on)} more than once: "
                "add the columns to `on` that tell the runs apart"
            )


def _run(row: pd.Series, on: Sequence[str]) -> str:
    return ", ".join(f"{column} {row[column]}" for column in on)


def _paths(name: str, folder: str | Path | None) -> tuple[Path, Path]:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"results name {name!r}: use lower-case letters, digits and hyphens")
    folder = results_folder() if folder is None else Path(folder)
    return folder / f"{name}.csv", folder / f"{name}.json"


def _columns(frame: pd.DataFrame) -> dict[str, str]:
    """The type of each column as it is stored."""
    if frame.empty or not frame.columns.is_unique:
        raise ValueError(
            f"the frame has {len(frame)} rows and columns {list(frame.columns)}: "
            "there must be at least one row, and no column twice"
        )
    return {column: _kind(frame[column]) for column in frame.columns}


def _kind(column: pd.Series) -> str:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in COLUMN_KINDS:
        return COLUMN_KINDS[column.dtype.kind]
    if all(isinstance(v, str) for v in column):
        return "str"
    raise ValueError(
        f"column {column.name!r} of type {column.dtype} cannot be stored: "
        "use integers, floats, booleans or strings, without gaps"
    )
