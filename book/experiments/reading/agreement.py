"""What a slice of stored results that is made again may claim, given what rounding does to it.

From the spread that :mod:`experiments.reading.rounding` measured follows the tolerance. Rows that
rounding leaves alone are compared one by one, others only in their mean over seeds, and what even
the mean does not settle is not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
import pandas as pd
from scipy.special import bdtrc, stdtrit

from experiments.reading.rounding import SEED, Rounding, described
from specmup.runs.results import Results
from specmup.training.perturbed import FLOOR

SETTLED = 0.05  # part of a value: where the tolerance is larger, the comparison would say nothing
SMALL = 0.1  # of the median: a smaller value is judged as if it were so large
RISK = 1e-3  # of a false alarm in a whole slice
# A run may jump: rounding tips a balance that none of the measured ways tipped. Of 14,821 rows,
# each judged by the ways but one, 8 did, by 6 % at most. Rows of one slice may do so together, so a
# slice is granted jumps as if one row in 200 did, but never half of its rows: then too few are left
# to tell by. One row alone jumps at a chance of 8 in 14,821, which is below RISK.
JUMPS = 5e-3
JUMP = 0.25  # part of a value: no jump is as large


def most_jumps(rows: int) -> int:
    """How many of so many rows may jump: fewer than half, and so few that more hardly ever do."""
    most = next(jumps for jumps in range(rows + 1) if bdtrc(jumps, rows, JUMPS) <= RISK)
    return min(most, max(0, rows - 1) // 2)


class Disagreement(AssertionError):
    """A slice made now differs from what is stored by more than rounding explains."""


@dataclass(frozen=True, repr=False)
class Agreement:
    """The outcome of a comparison that passed.

    Attributes:
        name: Of the stored result.
        value: The column compared.
        singly: Rows compared one by one.
        means: Means over seeds compared, where rounding moves the rows themselves too far.
        left_out: Rows that even their mean does not settle.
        tolerance: The largest relative difference that was allowed.
        jumps: How many rows might have differed by more.
    """

    name: str
    value: str
    singly: int
    means: int
    left_out: int
    tolerance: float
    jumps: int

    def __str__(self) -> str:
        """One line, of numbers that the stored spread alone decides."""
        rows = f"{self.singly} row" + "s" * (self.singly != 1)
        means = f" and {self.means} mean{'s' * (self.means != 1)} over seeds" * (self.means > 0)
        jumps = f", but for at most {self.jumps}" * (self.jumps > 0)
        hang = "hangs" if self.left_out == 1 else "hang"
        left = f"; {self.left_out} more {hang} on rounding" * (self.left_out > 0)
        return (
            f"{self.name}, {self.value}: {rows}{means} made again agree with what is stored, "
            f"to within {100 * self.tolerance:.1g} % or less{jumps}{left}"
        )

    __repr__ = __str__


def agrees_with(live: pd.DataFrame, committed: Results, value: str = "loss") -> Agreement:
    """Check that a slice made now repeats what is stored, as far as rounding lets it.

    Two numbers that differ by rounding alone, with a standard deviation s measured over m ways to
    compute them, differ by less than √2·t·s in all N comparisons but for a chance of
    :data:`RISK`, where t is Student's quantile of m − 1 degrees of freedom at 1 − RISK/2N. A row is
    compared singly if that is at most :data:`SETTLED` of its value or, for values that may vanish,
    of :data:`SMALL` times the slice's median. Otherwise the mean over its seeds is compared, of
    which s is √Σs²/seeds; and if that is not settled either, the row is left out. A run that
    diverged must have diverged in both. A few rows may have jumped, see :data:`JUMPS`.

    Args:
        live: The slice that was made now, from the streams of ``committed``.
        committed: The stored results, of which ``live`` repeats a part.
        value: The column compared.

    Raises:
        Disagreement: If a comparison fails; the message names the worst one.
        ValueError: If there is nothing to compare, a column is missing, a row is repeated or not
            among the stored, its rounding was not measured, or fewer than half of the rows can be
            compared singly, so that the slice is badly chosen.
    """
    rounding = Rounding.of(committed)
    pairs = _paired(live, committed.frame, rounding, value)
    pairs["spread"] = rounding.of_rows(pairs, value)
    factor = sqrt(2) * stdtrit(len(rounding.settings) - 1, 1 - RISK / (2 * len(pairs)))
    typical = SMALL * float(pairs.then[np.isfinite(pairs.then)].abs().median())
    rows = _judged(pairs, factor, typical)
    means = _means(pairs[~rows.settled.to_numpy()], list(rounding.on))
    means = _judged(means, factor, typical) if len(means) else rows[:0]
    compared = pd.concat([rows[rows.settled], means[means.settled]], ignore_index=True)
    jumps = most_jumps(len(compared))
    _raise_if_apart(compared, rounding.on, value, jumps)
    singly = int(rows.settled.sum())
    if 2 * singly < len(rows):
        raise ValueError(
            f"only {singly} of {len(rows)} rows are settled under rounding: choose a slice of "
            "lower learning rates or fewer steps"
        )
    finite = compared[compared.then.abs().between(0, inf, inclusive="neither")]
    largest = float((finite.allowed / finite.then.abs()).clip(upper=SETTLED).max())
    left_out = len(rows) - singly - int(means[means.settled].rows.sum() if len(means) else 0)
    name = committed.manifest["name"]
    return Agreement(name, value, singly, int(means.settled.sum()), left_out, largest, jumps)


def _judged(pairs: pd.DataFrame, factor: float, typical: float) -> pd.DataFrame:
    """With what is allowed, and whether that says anything; diverged pairs differ by nothing."""
    size = pairs.then.abs()
    allowed = factor * np.maximum(pairs.spread, FLOOR * size.where(np.isfinite(size), 0))
    both = np.isinf(pairs.now) & np.isinf(pairs.then)
    gap = (pairs.now - pairs.then).abs().where(~both, 0.0)
    settled = np.isfinite(pairs.spread) & (allowed <= SETTLED * size.clip(lower=typical))
    return pairs.assign(allowed=allowed, gap=gap, settled=settled)


def _means(pairs: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Means over the seeds of rows that are not settled singly, two seeds at least."""
    group = [column for column in on if column != SEED]
    if SEED not in on or pairs.empty:
        return pairs[:0]
    grouped = pairs.groupby(group, as_index=False)
    means = grouped.agg(
        now=("now", "mean"),
        then=("then", "mean"),
        rows=("now", "size"),
        spread=("spread", lambda s: sqrt(np.square(s).sum()) / len(s)),
    )
    return means[means.rows > 1].assign(**{SEED: "all"})


def _raise_if_apart(compared: pd.DataFrame, on: Sequence[str], value: str, jumps: int) -> None:
    apart = compared[~(compared.gap <= compared.allowed)]
    too_far = ~(apart.gap < JUMP * apart.then.abs())  # of one that diverged then, inf < inf
    if len(apart) > jumps or too_far.any():
        worst = apart.loc[[(apart.gap / apart.allowed).idxmax()]]
        ((name, now, then, allowed),) = zip(
            described(worst, on), worst.now, worst["then"], worst.allowed, strict=True
        )
        raise Disagreement(
            f"disagrees: {len(apart)} of {len(compared)} differ from what is stored by more than "
            f"rounding explains, where at most {jumps} may, by less than {100 * JUMP:.0f} %; the "
            f"worst, {name}, has {value} {now:.6g} now and {then:.6g} then, and rounding explains "
            f"{allowed:.2g}"
        )


def _paired(
    live: pd.DataFrame, committed: pd.DataFrame, rounding: Rounding, value: str
) -> pd.DataFrame:
    """The keys with the values ``now`` and ``then`` of each live row."""
    on = list(rounding.on)
    _check_comparable("live", live, on, value)
    rounding.check(live, value)
    committed = rounding.rows(committed)  # other rows may need more columns to be told apart
    _check_comparable("committed", committed, on, value)
    keys = live[on].astype(committed[on].dtypes.to_dict())
    left = keys.assign(now=live[value].astype(float))
    right = committed[on].assign(then=committed[value].astype(float))
    pairs = left.merge(right, on=on, how="left", indicator=True)
    lacking = pairs[pairs.pop("_merge") == "left_only"]
    if len(lacking):
        raise ValueError(
            f"the committed results lack {len(lacking)} of {len(live)} live runs, "
            f"the first {described(lacking, on)[0]}: run a slice of what is stored"
        )
    return pairs.assign(rows=1)


def _check_comparable(label: str, frame: pd.DataFrame, on: list[str], value: str) -> None:
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
            f"the {label} frame has {described(repeated, on)[0]} more than once: "
            "the columns that tell runs apart are incomplete"
        )
