"""Which runs may be compared: those that differ in a size, the rate and the seed alone."""

from __future__ import annotations

import pandas as pd

# What must be the same in every run of one comparison, where a column for it exists.
CONFIGURATION = (
    *("rule", "optimizer", "block_depth", "activation", "normalisation", "weight_decay"),
    *("steps", "batch_size", "dtype"),
)


def check_comparable(frame: pd.DataFrame, axis: str, value: str) -> None:
    """Refuse a table whose rows differ in more than rate, seed and the size along one axis.

    Args:
        frame: One row a run.
        axis: ``width`` or ``depth``.
        value: The column of the loss.

    Raises:
        ValueError: If it is empty, lacks a column, holds nan or mixes configurations.
    """
    if axis not in ("width", "depth"):
        raise ValueError(f"axis {axis!r} is not one of 'width', 'depth'")
    missing = [c for c in (axis, "log2_lr", "seed", value) if c not in frame.columns]
    if missing:
        raise ValueError(f"the frame lacks {missing}; it has {list(frame.columns)}")
    if frame.empty:
        raise ValueError("the frame is empty: its filter left no run")
    for column in (axis, "log2_lr", "seed", value):
        if frame[column].isna().any():
            raise ValueError(
                f"{column} is nan in {frame[column].isna().sum()} of {len(frame)} rows: "
                "a diverged run is recorded as a loss of inf"
            )
    other = "depth" if axis == "width" else "width"
    for column in (*CONFIGURATION, other):
        if column in frame.columns and frame[column].nunique(dropna=False) > 1:
            raise ValueError(
                f"transfer over {axis} compares runs that differ in nothing else, but {column} "
                f"takes {frame[column].unique().tolist()}: pick one, "
                f"for example frame[frame.{column} == {frame[column].iloc[0]!r}]"
            )
