"""A figure that answers: how long the sum of L vectors is, from independent to aligned.

Vectors of length one in the root mean square, √χ·e + √(1 − χ)·u with one e for all and a u of each
one's own, have ⟨v_l, v_m⟩ = χ on average. So the mean square of their sum is L + L(L − 1)χ
(:func:`mean_length`, chapter 2). The page holds drawn directions u; ``_static/sums.js`` adds them.
"""

from __future__ import annotations

import json
import math

import numpy as np
from IPython.display import HTML
from numpy.typing import ArrayLike

PARTS = 1000  # of a turn: as finely as directions are told, in the page as well


def sum_of_vectors(turns: ArrayLike) -> HTML:
    """The element that the script fills.

    Args:
        turns: Directions in the plane, as parts of a turn from 0 to 1, of shape (draws, vectors).

    Raises:
        ValueError: If they have another shape, or lie outside.
    """
    told = np.asarray(turns, dtype=float)
    if told.ndim != 2 or 0 in told.shape:
        raise ValueError(f"turns of shape {told.shape}: give (draws, vectors)")
    if not ((told >= 0) & (told <= 1)).all():
        raise ValueError("a turn lies outside 0 to 1: give parts of a turn")
    draws = np.rint(told * PARTS).astype(int).tolist()
    data = json.dumps({"parts": PARTS, "draws": draws}, separators=(",", ":"))
    return HTML(
        f'<div class="explorer sums"><script type="application/json">{data}</script>'
        "<p>Here a page with JavaScript adds as many vectors as you like.</p></div>"
    )


def mean_length(count: int, share: float) -> float:
    """√(L + L(L − 1)χ): the root mean square of the length of the sum."""
    return math.sqrt(count + count * (count - 1) * share)
