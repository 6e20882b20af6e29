"""What the benchmarks share: fair timing and the table of ratios."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from specmup.aligned import aligned


@dataclass(frozen=True)
class Row:
    """One measured ratio: how many times faster the first of the compared is than the second.

    ``target`` is the least ratio that the project promises, ``None`` where it promises nothing.
    """

    name: str
    compared: str
    ratio: float
    note: str = ""
    target: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as the text of its five columns."""
        if self.target is None:
            promise = ""
        else:
            met = "met" if self.ratio >= self.target else "MISSED"
            promise = f"≥ {self.target:.3g}× {met}"
        return self.name, self.compared, f"{self.ratio:.2f}×", promise, self.note


def median_seconds(
    functions: Mapping[str, Callable[[], object]], repeats: int = 5, warm_up: int = 1
) -> dict[str, float]:
    """Median wall seconds of each function.

    The repeats are interleaved (a b c, a b c, …), so that a slow spell of the machine falls on
    all of the compared alike; the first ``warm_up`` rounds are not counted.

    Raises:
        ValueError: ``repeats`` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}: give at least 1")
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(warm_up + repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            elapsed = time.perf_counter() - start
            if round_ >= warm_up:
                seconds[name].append(elapsed)
        print(".", end="", file=sys.stderr, flush=True)  # a sign of life
    return {name: statistics.median(times) for name, times in seconds.items()}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned plain text."""
    header = ("benchmark", "compared", "ratio", "target", "note")
    cells = [header, *(row.cells() for row in rows)]
    rule = tuple("-" * max(map(len, column)) for column in zip(*cells, strict=True))
    return "\n".join(aligned([header, rule, *cells[1:]], right=[2]))
