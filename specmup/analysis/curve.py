"""Learning-rate curves of one network: a row a seed, a column a rate, and the rate to choose."""

from __future__ import annotations

from math import nan

import numpy as np
import pandas as pd


def seed_curves(rows: pd.DataFrame, where: str = "the frame", value: str = "loss") -> pd.DataFrame:
    """Losses (seeds, learning rates), complete and without repetition.

    Args:
        rows: One row a run, with columns ``seed``, ``log2_lr`` and the loss, that differ in nothing
            else.
        where: What the rows are of, for the messages.
        value: The column of the loss.

    Raises:
        ValueError: If a run is there twice, or a seed lacks a rate that another has.
    """
    repeated = rows[rows.duplicated(["seed", "log2_lr"])]
    if len(repeated):
        run = repeated.iloc[0]
        raise ValueError(
            f"{where} has seed {run['seed']} at log2_lr = {run['log2_lr']:g} more than once: "
            "take out the repeated rows"
        )
    table = rows.pivot(index="seed", columns="log2_lr", values=value)
    gaps = table.isna()
    if gaps.to_numpy().any():
        seed = gaps.index[gaps.any(axis=1)][0]
        raise ValueError(
            f"{where}, seed {seed} lacks log2_lr {table.columns[gaps.loc[seed]].tolist()}: "
            "run every seed at the same learning rates"
        )
    return table


def tuned_rate(curves: pd.DataFrame) -> float:
    """log2 of the rate of the grid with the lowest mean loss; nan if each rate loses some seed.

    Args:
        curves: As :func:`seed_curves` gives them.
    """
    means = curves.mean()
    return float(means.index[int(means.argmin())]) if np.isfinite(means.min()) else nan
