"""A figure that answers: at a point of the plane of exponents, which demands hold, by how much?

The page holds, for each point, the four measured sizes with their exponents, what the sums over
blocks say of them, and the answers of the classifier. ``_static/plane.js`` shows the point that a
reader chooses. Where there is no script, the figure of the plane shows all points at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from experiments.reading.depthwise import DEPTH_MUP, sums
from experiments.reading.phases import (
    CANNOT_TELL,
    QUESTIONS,
    SIZES,
    TOLERANCE,
    DepthExponents,
    classify,
    moves,
)
from experiments.reading.values import number
from specmup.analysis.interval import Interval

HOLDS, NOT_ASKED, DIVERGED = "holds", "not asked", "diverged"
WORDS = {
    "start": "features at the start",
    "change": "their change in training",
    "preactivation": "change before the non-linearity",
    "walk": "walk from block to block",
}


def plane_of_exponents(frame: pd.DataFrame, look: Mapping[str, tuple[str, str]]) -> HTML:
    """The element that the script fills.

    Args:
        frame: Rows of :mod:`experiments.phase_diagram`.
        look: By phase, and by :data:`CANNOT_TELL`, its letter and its colour.
    """
    depths = sorted(int(depth) for depth in frame["depth"].unique())
    points = [point(rows) for _, rows in frame.groupby(["alpha", "gamma"])]
    found = [one["found"] for one in points]
    told = {
        "depths": [depths[0], depths[-1]],
        "sizes": [WORDS[name] for name in SIZES],
        "look": dict(look),
        "points": points,
        "begin": found.index(DEPTH_MUP) if DEPTH_MUP in found else 0,
    }
    data = json.dumps(told, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return HTML(
        f'<div class="explorer plane"><script type="application/json">{data}</script>'
        "<p>Here a page with JavaScript shows what was measured at the point you choose.</p></div>"
    )


def point(rows: pd.DataFrame) -> dict[str, Any]:
    """What the page knows of one point.

    Of each size: the answer, the measured exponent, that of the sums, and its means at the least
    and at the greatest depth. A question that presupposes a demand that fails is not asked.
    """
    a, gamma = (Fraction(rows[name].iloc[0]) for name in ("alpha", "gamma"))
    exponents, expected = DepthExponents.of(rows), sums(a, gamma)
    means = rows.groupby("depth")[list(SIZES)].mean()
    sizes, asked = [], True
    for name in SIZES:
        exponent = getattr(exponents, name)
        says = answer(name, exponent) if asked else NOT_ASKED
        order = number(getattr(expected, name).depth) if asked else ""
        asked = asked and says == HOLDS
        ends = [size_in_words(means[name].iloc[end]) for end in (0, -1)]
        sizes.append([says, exponent_in_words(exponent), order, *ends])
    return {"a": number(a), "gamma": number(gamma), "found": classify(exponents), "sizes": sizes}


def answer(size: str, exponent: Interval) -> str:
    """Whether a size does what is asked of it: it holds, or how it moves, or that is open."""
    asked = [way for name, way, _ in QUESTIONS if name == size]
    answers = {way: moves(exponent, way, TOLERANCE) for way in asked}
    failed = [way for way, moved in answers.items() if moved]
    if failed:
        return failed[0]
    return CANNOT_TELL if None in answers.values() else HOLDS


def size_in_words(size: float) -> str:
    """A size to two digits, without an exponent."""
    if not np.isfinite(size):
        return DIVERGED
    return np.format_float_positional(size, precision=2, fractional=False, trim="-")


def exponent_in_words(exponent: Interval) -> str:
    """An exponent with its interval, in one line."""
    return number(exponent).replace(" ", "\u00a0") if np.isfinite(exponent.estimate) else DIVERGED
