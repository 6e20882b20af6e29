"""Faults that are put into a copy of the book, one at a time: which claims notice?

``tools/mutants.toml`` declares them. A fault in code replaces a text, which must occur exactly once
in its file; one in a stored result changes a column, and makes the manifest's hash anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

DECLARED = Path(__file__).with_suffix(".toml")
KINDS = ("rule", "law", "fit", "model", "instrument", "table", "column", "word")
RESULTS = Path("book") / "results"
TILT = 0.3  # the power of a size by which a tilted column grows beside what was stored


@dataclass(frozen=True)
class TextMutant:
    """A text in a file, replaced.

    Attributes:
        name: What it is called, such as ``hidden-rate``.
        kind: One of :data:`KINDS`.
        file: From the root.
        old: Occurs exactly once in the file.
        new: Stands there instead.
        fells: Every claim whose criterion says this must fall; empty for no such demand.
    """

    name: str
    kind: str
    file: str
    old: str
    new: str
    fells: str = ""

    def apply(self, root: Path) -> None:
        """Change the file.

        Raises:
            ValueError: If the text does not occur exactly once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise ValueError(
                f"mutant {self.name}: {self.file} holds the text {self.old!r} {count} times; "
                "it must be there once: quote more, or what stands there now"
            )
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class ColumnMutant:
    """A column of a stored table, changed: its values come from elsewhere, or follow a size.

    Attributes:
        name: What it is called.
        kind: ``table`` or ``column``.
        table: Name of the result.
        column: Which of its columns.
        how: ``shuffled`` among all rows; ``tilted``, times a power of the size ``along``;
            ``exchanged``, two labels for one another.
        along: The column of that size.
        labels: The two.
        folder: Where the table lies.
        fells: As of a :class:`TextMutant`.
    """

    name: str
    kind: str
    table: str
    column: str
    how: Literal["shuffled", "tilted", "exchanged"]
    along: str = ""
    labels: tuple[str, ...] = ()
    folder: str = RESULTS.as_posix()
    fells: str = ""

    @property
    def file(self) -> str:
        """The table, from the root."""
        return f"{self.folder}/{self.table}.csv"

    def apply(self, root: Path) -> None:
        """Change the column and the manifest's hash.

        Raises:
            ValueError: If nothing changes.
        """
        path = root / self.file
        before = path.read_text(encoding="utf-8")
        frame = pd.read_csv(io.StringIO(before), dtype=str, na_filter=False)
        changed = frame.assign(**{self.column: self._changed(frame)})
        if changed.equals(frame):
            raise ValueError(f"mutant {self.name} leaves {self.table} as it is")
        text = changed.to_csv(index=False, lineterminator="\n")
        path.write_text(text, encoding="utf-8")
        manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        manifest["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")

    def _changed(self, frame: pd.DataFrame) -> pd.Series:
        column = frame[self.column]
        if self.how == "exchanged":
            one, other = self.labels
            return column.replace({one: other, other: one})
        if self.how == "shuffled":
            order = np.random.default_rng(0).permutation(len(column))
            return column.iloc[order].reset_index(drop=True)
        sizes = frame[self.along].astype(float)
        tilted = column.astype(float) * (sizes / sizes.min()) ** TILT
        return tilted.map(repr)


Mutant = TextMutant | ColumnMutant


def declared(path: Path = DECLARED) -> list[Mutant]:
    """All mutants of the table.

    Raises:
        ValueError: If two have one name, or a kind is unknown.
        TypeError: If one lacks a field or has one too many.
    """
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    found: list[Mutant] = [TextMutant(**one) for one in told["text"]]
    found += [
        ColumnMutant(**one | {"labels": tuple(one.get("labels", ()))}) for one in told["column"]
    ]
    names = [mutant.name for mutant in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two mutants are named {', '.join(sorted(twice))}")
    if unknown := {mutant.kind for mutant in found} - set(KINDS):
        raise ValueError(f"unknown kinds {', '.join(unknown)}: there are {', '.join(KINDS)}")
    return found
