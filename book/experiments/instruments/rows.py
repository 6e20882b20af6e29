"""Rows that say of which run they are."""

from __future__ import annotations

from typing import Any

import pandas as pd


def labelled(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """The rows with a run's options as their first columns, in this order."""
    frame = frame.assign(**options)
    return frame[[*options, *(c for c in frame.columns if c not in options)]]
