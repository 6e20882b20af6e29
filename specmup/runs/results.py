"""Measured results kept beside the book: a CSV file of runs and a JSON manifest of their origin."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from specmup.foreign import in_one_line
from specmup.runs.files import UNREADABLE, alone_in, left_behind, write_whole
from specmup.runs.manifest import origin
from specmup.runs.manifest_check import faults
from specmup.runs.progress import duration
from specmup.streams import SHARED

FOLDER_VARIABLE = "SPECMUP_RESULTS"
# Of results, and of what they are the results of.
NAME = r"\A[a-z0-9]+(-[a-z0-9]+)*\Z"
COLUMN_KINDS = {"i": "int64", "f": "float64", "b": "bool"}
# Python reads back exactly what it wrote; pandas' own reader may be off by the last digit.
READ: dict[str, Callable[[str], Any]] = {
    "int64": int,
    "float64": float,
    "bool": lambda text: text == "True",
    "str": str,
}


class Results(NamedTuple):
    """A table of runs and its manifest; unpacks as ``frame, manifest = load(name)``."""

    frame: pd.DataFrame
    manifest: dict[str, Any]

    @property
    def scale(self) -> str:
        """``"quick"``, ``"reference"`` or ``"gpu"``: the scale at which the runs were made."""
        return self.manifest["scale"]

    @property
    def streams(self) -> str:
        """The version of the random streams that the runs drew from, see :mod:`specmup.streams`.

        A manifest that does not say is older than the question.
        """
        return self.manifest.get("streams", SHARED)

    def describe(self) -> str:
        """One line for the reader: scale, number of runs, time, machine, date."""
        m = self.manifest
        machine = m["machine"]
        where = machine.get("accelerator") or f"{machine['cpu']}, {machine['cores']} cores"
        return (
            f"{m['name']}: scale {m['scale']}, {len(self.frame)} rows, "
            f"{duration(m['wall_seconds'])} on {where}, {m['date'][:10]}"
        )


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
    """Write NAME.csv and NAME.json, each atomically and both alone; return the path of the CSV.

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
        ValueError: If the frame is empty or holds another type, the name, scale, time or
            configuration cannot be recorded (a path of this machine among them), or
            :func:`load` would not believe what is said, such as the date of a clock that is wrong.
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
    if wrong := "; ".join(faults(manifest, name, frame)):
        raise ValueError(f"{json_path.name} would not be believed: {wrong}; nothing was written")
    csv_path.parent.mkdir(parents=True, exist_ok=True)
    told = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with alone_in(csv_path.parent) as alone:  # or the files of two who save would be mixed
        if alone:
            _clear(csv_path, json_path)
        for path, content in ((csv_path, text), (json_path, told)):
            write_whole(path, content.encode())
    return csv_path


def _clear(*paths: Path) -> None:
    """Delete what one that was killed while it wrote these files has left."""
    for path in paths:
        for left in left_behind(path.parent, path.name):
            left.unlink(missing_ok=True)


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
        ValueError: If they are corrupt, do not belong together, or the manifest says what cannot be
            true of the table, see :func:`specmup.runs.manifest_check.faults`.
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
        columns, digest = dict(manifest["columns"]), manifest["sha256"]
    except UNREADABLE as error:
        raise ValueError(
            f"{json_path.name} is not a manifest ({in_one_line(error)}): {remedy}"
        ) from error
    content = csv_path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(
            f"{csv_path.name} is not the file that {json_path.name} describes: {remedy}"
        )
    try:
        text = pd.read_csv(io.BytesIO(content), dtype=str, na_filter=False)
        values = {c: text[c].map(READ[kind]).astype(kind) for c, kind in columns.items()}
        frame = pd.DataFrame(values)
    except UNREADABLE as error:
        raise ValueError(
            f"{csv_path.name} has not the columns that {json_path.name} says "
            f"({in_one_line(error)}): {remedy}"
        ) from error
    try:
        wrong = "; ".join(faults(manifest, name, frame))
    except UNREADABLE as error:  # of a shape that no manifest has
        wrong = in_one_line(error)
    if wrong:
        raise ValueError(f"{json_path.name} cannot be believed: {wrong}: {remedy}")
    return Results(frame, manifest)


def _paths(name: str, folder: str | Path | None) -> tuple[Path, Path]:
    if not re.match(NAME, name):
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
