"""The value of a claim: a number, an interval, an order, a word, or several; and its text."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Rational, Real
from typing import Any

import numpy as np
import pandas as pd

from specmup.analysis.interval import Interval


def several(value: Any) -> list[Any]:
    """The values that are judged one by one: those of a list, table or mapping, or the one."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | np.ndarray | pd.Series):
        return list(value)
    return [value]


def interval_of(value: Any) -> Interval:
    """The interval of a value; of a number without one, the number alone."""
    return value if isinstance(value, Interval) else Interval(value, value, value)


def text_of(value: Any, spec: str = ".2f") -> str:
    """A value as text with true minus signs; of several numbers, the range that they span."""
    many = several(value)
    if len(many) == 1:
        return number(many[0], spec)
    if not all(isinstance(one, Interval | Real) for one in many):
        return ", ".join(number(one, spec) for one in many)
    ends = [interval_of(one) for one in many]
    low, high = min(one.low for one in ends), max(one.high for one in ends)
    kind = "intervals" if isinstance(many[0], Interval) else "values"
    return f"{number(low, spec)} to {number(high, spec)} ({len(many)} {kind})"


def number(value: Any, spec: str = "") -> str:
    """One value as text; integers and words as they are."""
    if isinstance(value, Interval):
        text = format(value, spec or ".2f")
    elif isinstance(value, bool | np.bool_ | str) or not isinstance(value, Real):
        text = str(value)
    elif isinstance(value, Integral):
        text = f"{int(value):,}"
    elif isinstance(value, Rational):
        text = str(value)
    else:
        text = format(float(value), f"z{spec or '.4g'}")
    return text if isinstance(value, str) else text.replace("-", "−")
