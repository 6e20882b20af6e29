"""How far rounding alone moves the rows of a stored result: measured once, kept in its manifest.

With one seed and the same code, two processors give two losses: sums are rounded in another order,
and training at high rates blows the difference up. So the slice of a result that a chapter makes
again is made in several ways: with starts perturbed by a millionth, with other instruction sets,
with other numbers of threads. The spread of each row over these ways is what a comparison has to
allow, see :mod:`experiments.reading.agreement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from specmup.runs.results import Results
from specmup.training.perturbed import FLOOR

SEED = "seed"


@dataclass(frozen=True)
class Rounding:
    """How far rounding alone moves the rows of a slice; the part ``rounding`` of a manifest.

    Args:
        on: The columns that tell rows apart.
        slice: The values of these columns for which it was measured.
        settings: In which ways the slice was made, in words.
        spread: By column compared and row, the standard deviation over these ways; None where some
            ways diverged and others did not. Rows below :data:`FLOOR` are left out.
    """

    on: Sequence[str]
    slice: Mapping[str, Sequence]
    settings: Sequence[str]
    spread: Mapping[str, Mapping[str, float | None]]

    @classmethod
    def of(cls, results: Results) -> Rounding:
        """What the manifest says.

        Raises:
            ValueError: If it says nothing.
        """
        if "rounding" not in results.manifest:
            name = results.manifest["name"]
            raise ValueError(
                f"how far rounding moves {name} has not been measured, so nothing can be held "
                f"against it: python tools/measure_rounding.py {name}"
            )
        return cls(**results.manifest["rounding"])

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a frame that have these values; not each need be of the slice."""
        return frame[np.logical_and.reduce([frame[c].isin(v) for c, v in self.slice.items()])]

    def check(self, frame: pd.DataFrame, value: str) -> None:
        """Check that it was measured for this column and all of these rows.

        Raises:
            ValueError: If it was not.
        """
        if value not in self.spread:
            raise ValueError(f"rounding was measured for {', '.join(self.spread)}, not for {value}")
        if len(self.rows(frame)) < len(frame):
            other, *_ = described(frame.drop(self.rows(frame).index), self.on)
            raise ValueError(
                f"rounding was not measured for {other}: make a slice of "
                f"{dict(self.slice)}, or measure it with tools/measure_rounding.py"
            )

    def of_rows(self, frame: pd.DataFrame, value: str) -> np.ndarray:
        """The spread of each row; ``inf`` where rounding decides whether it diverges.

        Of rows that differ in nothing but the seed the largest counts: how far training blows a
        difference up belongs to its setting, and a few ways may all spare one seed by chance.
        """
        known = self.spread[value]
        seeds = self.slice.get(SEED, (None,))  # a column of that name is taken for seeds
        alike = [described(frame.assign(**{SEED: seed}), self.on) for seed in seeds]
        each = [[known.get(row, 0.0) for row in rows] for rows in alike]  # (seeds, rows)
        return np.array([[inf if s is None else s for s in row] for row in each]).max(axis=0)


def measured_rounding(
    frames: Mapping[str, pd.DataFrame], on: Sequence[str], values: Sequence[str]
) -> dict[str, Any]:
    """The part ``rounding`` of a manifest, from one slice made in several ways.

    Args:
        frames: The slice by the way in which it was made, in words; rows in one order.
        on: The columns that tell rows apart.
        values: The columns to be compared.

    Raises:
        ValueError: If there are fewer than three ways, or they made different rows.
    """
    on, (first, *others) = list(on), frames.values()
    if len(others) < 2:
        raise ValueError(f"{len(frames)} ways to make a slice: a spread needs three at least")
    if not all(first[on].equals(other[on]) for other in others):
        raise ValueError(f"the ways {', '.join(frames)} made different rows of {on}")
    spread = {}
    for value in values:
        made = np.stack([frame[value].to_numpy(float) for frame in frames.values()])  # (ways, rows)
        spread[value] = {
            row: moved
            for row, column in zip(described(first, on), made.T, strict=True)
            if (moved := _spread(column)) != 0.0
        }
    axes = {column: sorted(set(first[column])) for column in on}
    return {"on": on, "slice": axes, "settings": list(frames), "spread": spread}


def _spread(made: np.ndarray) -> float | None:
    """Standard deviation to two digits; 0 below the floor or where all diverged."""
    diverged = ~np.isfinite(made)
    if diverged.any():
        return 0.0 if diverged.all() else None
    moved = float(made.std(ddof=1))
    return float(f"{moved:.2g}") if moved > FLOOR * abs(made.mean()) else 0.0


def described(frame: pd.DataFrame, on: Sequence[str]) -> list[str]:
    """Each row in words, such as ``rule sp, depth 4, log2_lr -6.0``."""
    rows = frame[list(on)].itertuples(index=False, name=None)  # keeps the columns' types
    return [", ".join(f"{c} {v}" for c, v in zip(on, row, strict=True)) for row in rows]
