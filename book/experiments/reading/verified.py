"""Rows made again, any of them, beside what is stored: they agree, disagree, or hang on rounding.

Other than in :mod:`experiments.reading.agreement` a row need not be one for which rounding was
measured. What is not known of it is found out by perturbed starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from experiments.reading.agreement import JUMP, RISK, SETTLED, SMALL, most_jumps
from experiments.reading.rounding import Rounding, described
from specmup.runs.results import Results
from specmup.training.perturbed import FLOOR, HANGS, gap


@dataclass(frozen=True)
class Verified:
    """What became of one column of the rows that were made again.

    Attributes:
        name: Of the result.
        value: The column.
        agree: How many rows agree.
        unknown: How many cannot be told.
        jumped: Rows that differ though their rounding was measured, by less than a quarter, in
            words; a few may, see :data:`experiments.reading.agreement.JUMPS`.
        apart: Rows that disagree, in words.
    """

    name: str
    value: str
    agree: int
    unknown: int
    jumped: tuple[str, ...]
    apart: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many were made again."""
        return self.agree + self.unknown + len(self.jumped) + len(self.apart)

    def __str__(self) -> str:
        """A line, and one for each row that jumped or disagrees."""
        answer = "DISAGREES" if self.apart else "jumped" if self.jumped else "agrees"
        counts = f"{self.agree} rows agree, {self.unknown} hang on rounding"
        counts += f", {len(self.jumped)} jumped, {len(self.apart)} disagree"
        head = f"{self.name}, {self.value}: {answer} ({counts})"
        return "\n".join([head, *(f"  {row}" for row in (*self.jumped, *self.apart))])


def unheld(found: Sequence[Verified]) -> str:
    """Why all that was verified does not hold, in words: empty if it does.

    Nothing may disagree, and of all rows together no more may have jumped than of one slice.
    """
    jumped, rows = sum(len(one.jumped) for one in found), sum(one.rows for one in found)
    apart, most = sum(len(one.apart) for one in found), most_jumps(rows)
    told = [f"{apart} of {rows} rows disagree"] * (apart > 0)
    told += [f"{jumped} of {rows} rows jumped, where at most {most} may"] * (jumped > most)
    return "; ".join(told)


def compared(
    live: pd.DataFrame,
    results: Results,
    on: Sequence[str],
    measured: pd.DataFrame,
    value: str,
    moved: Sequence[pd.DataFrame] = (),
) -> Verified:
    """Hold rows made now against those that are stored.

    Args:
        live: With the columns ``on`` and the value, all of them among the stored.
        results: As loaded.
        on: What tells rows apart.
        measured: Those of the stored rows for which rounding was measured; none if it was not.
        value: The column.
        moved: The same rows from perturbed starts, if any were made.

    Raises:
        ValueError: If it does not, or a row is not stored.
    """
    pairs = _paired(live, results, on, value)
    agree, jumped = _agreeing(pairs, results, measured, value)
    reach = np.zeros(len(pairs))
    for frame in moved:
        other = pairs[list(on)].merge(frame, on=list(on), how="left")[value].to_numpy(float)
        reach = np.fmax(reach, gap(pairs.now.to_numpy(), other))  # it may lack a rate
    unknown = ~agree & (HANGS * gap(pairs.now, pairs.then) <= reach) & (reach > 0)
    return Verified(
        name=results.manifest["name"],
        value=value,
        agree=int(agree.sum()),
        unknown=int(unknown.sum()),
        jumped=_in_words(pairs[jumped & ~unknown], on),
        apart=_in_words(pairs[~agree & ~jumped & ~unknown], on),
    )


def _in_words(pairs: pd.DataFrame, on: Sequence[str]) -> tuple[str, ...]:
    rows = zip(described(pairs, on), pairs.now, pairs["then"], strict=True)
    return tuple(f"{row}: {now:.6g} now and {then:.6g} then" for row, now, then in rows)


def _paired(live: pd.DataFrame, results: Results, on: Sequence[str], value: str) -> pd.DataFrame:
    """The keys with the values ``now`` and ``then`` of each live row."""
    keys, stored = list(on), results.frame
    if stored.duplicated(keys).any():
        raise ValueError(f"{results.manifest['name']} has rows that {keys} do not tell apart")
    pairs = live[[*keys, value]].rename(columns={value: "now"})
    pairs = pairs.merge(stored[[*keys, value]].rename(columns={value: "then"}), on=keys)
    if len(pairs) != len(live) or pairs.empty:
        raise ValueError(f"{len(live) - len(pairs)} of {len(live)} rows are not stored")
    return pairs.astype({"now": float, "then": float})


def _agreeing(
    pairs: pd.DataFrame, results: Results, measured: pd.DataFrame, value: str
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows agree; and which of known rounding do not, by less than a quarter."""
    then, stored = pairs["then"].to_numpy(), np.abs(results.frame[value].to_numpy(float))
    typical = SMALL * np.median(stored[np.isfinite(stored)])
    size = np.maximum(np.where(np.isfinite(then), np.abs(then), 0.0), typical)
    spread, ways = np.full(len(pairs), FLOOR), 2
    known = np.zeros(len(pairs), dtype=bool)
    if len(measured) and value in (rounding := Rounding.of(results)).spread:
        ways, on = len(rounding.settings), list(rounding.on)
        of_rows = rounding.of_rows(measured, value) / np.abs(measured[value].to_numpy(float))
        spread[:] = max(FLOOR, of_rows[np.isfinite(of_rows)].max(initial=0.0))
        known = pd.MultiIndex.from_frame(pairs[on]).isin(pd.MultiIndex.from_frame(measured[on]))
        own = rounding.of_rows(pairs[known], value) / size[known]
        spread[known] = np.maximum(FLOOR, own)
    factor = sqrt(2) * stdtrit(ways - 1, 1 - RISK / (2 * len(pairs)))
    apart = gap(pairs.now, then)
    agree = apart <= np.minimum(factor * spread, SETTLED) * size
    return agree, ~agree & known & (factor * spread <= SETTLED) & (apart <= JUMP * size)
