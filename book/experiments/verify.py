"""Make stored rows again, any of them, and say whether they agree.

    python -m experiments verify NAME                         one job, another with every commit
    python -m experiments verify NAME --rows 5 --where "depth == 64 and rule == 'k1'"
    python -m experiments verify --rotate 60                  jobs of all results, for some 60 s

A row is made by its job, from the random streams that the manifest names. It agrees if it differs
by no more than rounding gives: as measured for this row, or else as much as rounding moved any row
of the result that was measured, and never more than a twentieth. Where a row lies further off, its
job is made twice more from starts that are moved by a millionth: if these move the row by a tenth
of the gap, it hangs on rounding and cannot be told. Otherwise it disagrees, unless its rounding was
measured and it lies off by less than a quarter. Then it jumped, as a few of all rows may.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from experiments.again import (
    OF_SWEEPS,
    check_made,
    experiment_of,
    has_rows,
    measured_rows,
    rows_made_again,
)
from experiments.reading.verified import Verified, compared, unheld
from specmup.runs.manifest import commit
from specmup.runs.results import Results, load, results_folder
from specmup.training.perturbed import SEEDS, perturbed

LONGEST = 1 / 3  # of the time of a rotation: a dearer job is never among those that take turns


def verified(results: Results, rows: pd.DataFrame) -> list[Verified]:
    """Make rows of a result now; one outcome a compared column.

    Raises:
        ValueError: If no job makes one of them, or what tells rows apart does not.
    """
    made = rows_made_again(results, rows)
    check_made(rows[list(made.on)], made.frame, made.on)
    held_against = partial(compared, made.frame, results, made.on, measured_rows(results))
    found = [held_against(value) for value in made.values]
    if not any(one.apart or one.jumped for one in found):
        return found
    moved = [_moved(results, rows, seed) for seed in SEEDS]
    return [held_against(value, moved) for value in made.values]


def _moved(results: Results, rows: pd.DataFrame, seed: str) -> pd.DataFrame:
    """The same rows from starts that are moved by a millionth."""
    with perturbed(seed):
        return rows_made_again(results, rows).frame


@dataclass(frozen=True)
class Candidate:
    """Rows that are made together: by one job of an experiment, or one run of a sweep.

    Attributes:
        rows: Those that are stored.
        seconds: That they took, by the result's whole time and the sizes of its networks.
    """

    rows: pd.DataFrame
    seconds: float


def candidates(results: Results, rows: pd.DataFrame, state: str = "") -> Iterator[Candidate]:
    """What may make some rows of a result, in an order that each state gives anew."""
    seconds = results.manifest["wall_seconds"] / _work(results.frame).sum()
    for some in _together(results.manifest["name"], results.scale, rows, state):
        yield Candidate(some, seconds * _work(some).sum())


def _together(name: str, scale: str, rows: pd.DataFrame, state: str) -> Iterator[pd.DataFrame]:
    if name in OF_SWEEPS:
        yield from (rows.loc[[index]] for index in sorted(rows.index, key=_turn(state, name)))
        return
    experiment = experiment_of(name)
    keys = rows[list(experiment.keys)]
    for job in sorted(experiment.jobs(scale), key=_turn(state, name)):
        if len(found := has_rows(keys, job)):
            yield rows.loc[found.index]


def _turn(state: str, of: str = "") -> Callable[[Any], str]:
    """Gives each of several things its place in the order that belongs to a state."""
    return lambda thing: hashlib.sha256(f"{state} {of} {thing}".encode()).hexdigest()


def _work(rows: pd.DataFrame) -> pd.Series:
    """Multiplications in proportion, a row."""
    columns = ((column, power) for column, power in (("width", 2), ("depth", 1)) if column in rows)
    work = pd.Series(1.0, index=rows.index)
    for column, power in columns:
        work *= rows[column].astype(float) ** power
    return work


def rotated(seconds: float, state: str) -> Iterator[list[Verified]]:
    """Verify jobs of all stored results by turns, for about so long, and one at least.

    Args:
        seconds: How long; a job that takes more than a third of it is never among them.
        state: Of the repository: another takes other jobs.
    """
    start, done = time.monotonic(), False
    names = sorted((path.stem for path in results_folder().glob("*.json")), key=_turn(state))
    waiting = [_cheap(name, LONGEST * seconds, state) for name in names]
    while waiting:
        for one in list(waiting):
            if (found := next(one, None)) is None:
                waiting.remove(one)
                continue
            results, candidate = found
            if done and time.monotonic() - start + candidate.seconds > seconds:
                return
            yield verified(results, candidate.rows)
            done = True


def _cheap(name: str, most: float, state: str) -> Iterator[tuple[Results, Candidate]]:
    results = load(name)
    for candidate in candidates(results, results.frame, state):
        if candidate.seconds <= most:
            yield results, candidate


def main(words: Sequence[str]) -> int:
    """Verify what is asked for, print what became of it, and return the status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="of an experiment, or of a stored result")
    parser.add_argument("--rows", type=int, default=1, help="at least so many; 1 by default")
    parser.add_argument("--where", default="", help="a query that they answer")
    parser.add_argument("--rotate", type=float, metavar="SECONDS", help="some of all results")
    args = parser.parse_args(words)
    if (args.name is None) == (args.rotate is None):
        parser.error("name a result, or give --rotate SECONDS")
    try:
        turns = [_asked_for(args)] if args.name else rotated(args.rotate, commit())
        found = [one for some in turns for one in printed(some)]
    except (FileNotFoundError, ValueError) as problem:
        parser.error(str(problem))
    if not found:
        parser.error("no job is cheap enough for so short a time: give more seconds")
    if why := unheld(found):
        print(why)
    return int(bool(why))


def printed(some: list[Verified]) -> list[Verified]:
    """The same, printed."""
    print(*some, sep="\n", flush=True)
    return some


def _asked_for(args: argparse.Namespace) -> list[Verified]:
    results = load(args.name.replace("_", "-"))
    rows = results.frame.query(args.where) if args.where else results.frame
    chosen: list[pd.DataFrame] = []
    for candidate in candidates(results, rows, commit()):
        chosen.append(candidate.rows)
        if sum(map(len, chosen)) >= args.rows:
            break
    if not chosen:
        raise ValueError(f"no row of {args.name} answers {args.where!r}")
    return verified(results, pd.concat(chosen))
