"""The losses published by zheng2026 (Tables 15–40), in the columns of our own sweeps.

So every function that reads a sweep of ours reads theirs: :func:`table` gives one table in the form
that :func:`specmup.analysis.transfer.transfer` takes.
"""

from __future__ import annotations

from math import inf
from pathlib import Path

import pandas as pd

from specmup.runs.results import book_folder, load

NAME = "zheng2026-published-sweeps"
BASE = {"width": 256, "depth": 4}
SEED = 0  # one loss a cell

# Their words, and ours.
COLUMNS = {
    "parameterization": "rule",
    "normalization": "normalisation",
    "hyperparameter": "tuned",
    "log2_base_value": "log2_value",
    "val_loss": "loss",
}
VALUES = {
    "optimizer": {
        "muon-kimi-adamw": "muon-kimi",
        "muon-adamw": "muon",
        "shampoo-adamw": "shampoo",
        "sophia": "sophia",
    },
    "normalisation": {"ln": "layernorm", "no-ln": "none"},
    "tuned": {"lr": "learning rate", "wd": "weight decay"},
}


def published(folder: str | Path | None = None) -> pd.DataFrame:
    """All 912 cells, one a row, with the names of this book.

    Columns: ``table``, ``optimizer`` (of the hidden matrices; all but Sophia's have AdamW beside
    them), ``rule``, ``axis``, ``normalisation``, ``tuned`` (``learning rate`` or
    ``weight decay``), ``size``, ``log2_value`` of what is tuned, and ``loss``, the validation loss
    in nats a token. The paper prints ``nan`` in six cells. Each stands beyond the best value of its
    row, which is checked, so it is read as a run that diverged and given the loss ``inf``. Finite
    losses stay as printed, those above log(50257) = 10.8 too.

    Args:
        folder: Where the data lie; ``book/data`` by default.

    Raises:
        FileNotFoundError: If the data are not there.
        ValueError: If they are not what their manifest describes, or a ``nan`` stands where a run
            need not have diverged.
    """
    folder = book_folder() / "book" / "data" if folder is None else folder
    frame = load(NAME, folder).frame.rename(columns=COLUMNS)
    for column, names in VALUES.items():
        frame[column] = frame[column].map(names)
    for (number, size), row in frame.groupby(["table", "size"]):
        _check_gaps(row, f"Table {number}, size {size}")
    return frame.assign(loss=frame["loss"].fillna(inf))


def table(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """One table as a sweep: ``optimizer``, ``rule``, ``normalisation``, sizes, ``loss``, ``seed``.

    What is tuned stands in the column ``log2_lr``, under that name also where it is the weight
    decay, since that is the column that the functions on sweeps read. Both sizes have a column; the
    one that does not vary has its base value.

    Args:
        frame: From :func:`published`.
        number: As in the paper, 15 to 40.

    Raises:
        ValueError: If there is no such table.
    """
    rows = frame[frame.table == number]
    if rows.empty:
        known = frame.table.unique().tolist()
        raise ValueError(f"there is no table {number}; there are {known[0]} to {known[-1]}")
    sizes = BASE | {rows.axis.iloc[0]: rows["size"]}
    swept = rows.rename(columns={"log2_value": "log2_lr"}).drop(columns=["axis", "size"])
    return swept.assign(**sizes, seed=SEED).reset_index(drop=True)


def _check_gaps(row: pd.DataFrame, where: str) -> None:
    """Refuse a ``nan`` below the best value of its row, where no divergence is to be expected.

    Args:
        row: The cells of one table and size.
        where: How to name them.
    """
    best = row["log2_value"].iloc[row["loss"].argmin()]
    gaps = row.loc[row["loss"].isna(), "log2_value"]
    if (gaps < best).any():
        raise ValueError(
            f"{where} has nan at log2 value {gaps.min():g}, below its best at {best:g}: "
            "a divergence stands beyond it, so find out what this one means"
        )
