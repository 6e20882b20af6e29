"""A manifest is believed only where it can be true: its fields, and that they fit the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import isfinite
from typing import Any

import pandas as pd

from specmup.runs.manifest import SCALES
from specmup.streams import VERSIONS

KINDS = ("int64", "float64", "bool", "str")  # of columns
FIRST = datetime(2025, 1, 1, tzinfo=UTC)  # no run of this package is older
SKEW = timedelta(days=1)  # by which the clock of another machine, or this one's since, may be late


@dataclass(frozen=True)
class Field:
    """What one field of a manifest must be.

    Attributes:
        words: In words, for the message.
        holds: Whether a value is that; it may raise for a value of another type.
        optional: Whether it may be missing, as in manifests that are older than the question.
    """

    words: str
    holds: Callable[[Any], bool]
    optional: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether a value is what it must be."""
        try:
            return bool(self.holds(value))
        except (TypeError, ValueError, AttributeError, KeyError):
            return False


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_version(value: Any) -> bool:
    return bool(re.match(r"\d+\.\d", value)) or value == "not installed"


def _are_versions(value: Any) -> bool:
    """Versions of packages; torch is among them, and not older than any that this code ran with."""
    return all(map(_is_version, value.values())) and int(value["torch"].split(".")[0]) >= 2


def _is_date(value: Any) -> bool:
    return FIRST <= datetime.fromisoformat(value) <= datetime.now(UTC) + SKEW


TABLE = {
    "name": Field("the name of its file", lambda v: isinstance(v, str)),
    "rows": Field("a number of rows", _is_count),
    "columns": Field(
        f"a type ({', '.join(KINDS)}) for each column",
        lambda v: bool(v) and set(v.values()) <= set(KINDS),
    ),
    "sha256": Field("64 hexadecimal digits", lambda v: bool(re.fullmatch("[0-9a-f]{64}", v))),
}
ORIGIN = {
    "scale": Field(f"one of {', '.join(SCALES)}", lambda v: v in SCALES),
    "configuration": Field("what was run, by name", lambda v: isinstance(v, Mapping)),
    "date": Field(f"a time with its zone, from {FIRST.year} to now", _is_date),
    "wall_seconds": Field("seconds", lambda v: not isinstance(v, bool) and isfinite(v) and v >= 0),
    "streams": Field(f"one of {', '.join(VERSIONS)}", lambda v: v in VERSIONS, optional=True),
    "commit": Field(
        "40 hexadecimal digits, perhaps with changes, or unknown",
        lambda v: bool(re.fullmatch("unknown|[0-9a-f]{40}( with changes)?", v)),
        optional=True,
    ),
    "machine": Field(
        "a system, a cpu and its cores",
        lambda v: isinstance(v["system"] + v["cpu"], str) and _is_count(v["cores"]),
    ),
    "python": Field("a version", _is_version),
    "versions": Field("versions of packages, torch's among them", _are_versions),
}


def faults(manifest: Mapping[str, Any], name: str, frame: pd.DataFrame) -> Iterator[str]:
    """What is wrong with the manifest of a table, a sentence a fault.

    A table that was taken from a publication names its ``source`` and has no origin here.

    Args:
        manifest: As read.
        name: Of its file.
        frame: The table, with the columns that the manifest says.
    """
    for key, field in TABLE.items() if "source" in manifest else (TABLE | ORIGIN).items():
        if key not in manifest:
            if not field.optional:
                yield f"{key} is missing: it must be {field.words}"
        elif not field.accepts(manifest[key]):
            yield f"{key} is {manifest[key]!r}: it must be {field.words}"
    if manifest.get("name") != name:
        yield f"it is the manifest of {manifest.get('name')!r}, and lies beside {name}"
    if manifest.get("rows") != len(frame):
        yield f"it says {manifest.get('rows')} rows, and the table has {len(frame)}"
    yield from _configuration_faults(manifest.get("configuration"), frame)
    yield from _rounding_faults(manifest.get("rounding"), frame)


def _configuration_faults(configuration: Any, frame: pd.DataFrame) -> Iterator[str]:
    """Where constants or axes say another thing than a column of that name."""
    if not isinstance(configuration, Mapping):
        return
    constants = dict(configuration.get("settings", {})).get("constants", {})
    for constant, value in constants.items():
        column = constant.lower()
        told = type(value) in (int, float) and column in frame
        if told and frame[column].nunique() == 1 and frame[column].iloc[0] != value:
            yield f"{constant} is {value}, and the table has {column} {frame[column].iloc[0]}"
    for column, values in _axes(configuration.get("cases")).items():
        if column in frame and (strange := set(map(_plain, frame[column].unique())) - values):
            some = ", ".join(sorted(map(str, strange))[:3])
            yield f"the table has {column} {some}, which no case of the configuration runs"


def _axes(cases: Any) -> dict[str, set[Any]]:
    """The values that all declared cases together give a column; of axes, and of seeds.

    A constant that no case varies need not be what a column of its name holds.
    """
    found: list[dict[str, set[Any]]] = []
    axes = {"seed"}
    for case in cases or ():
        if not isinstance(case, Mapping) or not {"axes", "constants"} <= case.keys():
            return {}  # of a manifest that is older than declared experiments
        told = {name: {_plain(value)} for name, value in case["constants"].items()}
        if isinstance(seeds := case["constants"].get("seeds"), list):
            told["seed"] = set(map(_plain, seeds))
        for names, values in case["axes"].items():
            columns = names.split(", ")
            points = values if len(columns) > 1 else [[value] for value in values]
            told |= {c: {_plain(p[i]) for p in points} for i, c in enumerate(columns)}
            axes |= set(columns)
        found.append(told)
    shared = set.intersection(*map(set, found)) if found else set()
    return {name: set().union(*(told[name] for told in found)) for name in shared & axes}


def _plain(value: Any) -> Any:
    """A value that compares equal in the table and in JSON: of ``2``, ``2.0`` and ``4/2``, 2."""
    try:
        return float(Fraction(str(value)))
    except ValueError:
        return str(value)


def _rounding_faults(rounding: Any, frame: pd.DataFrame) -> Iterator[str]:
    """Where the rows for which rounding was measured are not rows of the table."""
    if rounding is None:
        return
    if not isinstance(rounding, Mapping) or not {"on", "slice", "spread"} <= rounding.keys():
        yield "rounding must say on, slice and spread: measure it anew"
        return
    if missing := [c for c in (*rounding["on"], *rounding["spread"]) if c not in frame.columns]:
        yield f"rounding was measured for the columns {missing}, which the table lacks"
        return
    for column, measured in rounding["slice"].items():
        if lacking := set(measured) - set(frame[column]):
            yield f"rounding was measured for {column} {sorted(lacking)}, which the table lacks"
