"""Grids of learning rates that grow until no seed's best rate sits on their edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

Swept = Callable[[Sequence[int]], pd.DataFrame]


def extended(swept: Swept, first: Sequence[int], *, by: str, rates: int, most: int) -> pd.DataFrame:
    """A sweep over the first rates, and over those beyond an edge for as long as it must be.

    Args:
        swept: Gives the rows of whole-numbered rates: seeds, losses and the rates' column.
        first: The rates to begin with.
        by: Name of that column.
        rates: How many are added at an edge.
        most: How often they may be.
    """
    frame = swept(first)
    for _ in range(most):
        if missing := beyond_edges(frame, by=by, rates=rates):
            frame = pd.concat([frame, swept(missing)], ignore_index=True)
    return frame


def beyond_edges(frame: pd.DataFrame, *, by: str, rates: int) -> list[int]:
    """The rates to add beyond each edge of the grid that is some seed's best."""
    losses = frame.pivot(index="seed", columns=by, values="loss")
    low, high = int(losses.columns.min()), int(losses.columns.max())
    best = losses.to_numpy().argmin(axis=1)  # of diverged runs only: the lowest rate
    below = range(low - rates, low) if (best == 0).any() else ()
    above = range(high + 1, high + 1 + rates) if (best == len(losses.columns) - 1).any() else ()
    return [*below, *above]
