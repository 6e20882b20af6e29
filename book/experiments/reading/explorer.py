"""A figure that answers: carry one learning rate to every size, and see what it costs.

The page holds the stored mean losses; ``_static/explorer.js`` draws what the reader chooses. Where
there is no script, the figure's place says so, and the page's other figures show the same runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

DIGITS = 4  # significant ones of a loss


def explorer(
    runs: Mapping[tuple[str, str, str], pd.DataFrame],
    titles: Mapping[str, str],
    *,
    bases: Mapping[str, int] | None = None,
    losses: Sequence[float] = (0.1, 0.3, 1, 3, 4),
) -> HTML:
    """The element that the script fills, with all that it needs to know.

    Args:
        runs: By kind, axis (``width`` or ``depth``) and rule, the rows of one sweep along that
            axis: a column of the axis, ``log2_lr``, ``seed`` and ``loss``. A kind is whatever else
            a reader chooses, the optimizer for instance; where there is one alone nothing is asked.
        titles: What a rule is called in words, by rule.
        bases: By axis the size that the rate is tuned at; by default the smallest.
        losses: What the scale of losses names, the last one being where it ends.

    Raises:
        ValueError: If there are no runs, or a rule has no title.
    """
    if not runs:
        raise ValueError("no runs to explore: give rows by kind, axis and rule")
    if missing := {rule for *_, rule in runs} - set(titles):
        raise ValueError(f"no title for {', '.join(sorted(missing))}: name every rule")
    told = {
        "titles": dict(titles),
        "bases": dict(bases or {}),
        "losses": list(losses),
        "curves": [
            {"kind": kind, "axis": axis, "rule": rule, "sizes": mean_curves(frame, axis)}
            for (kind, axis, rule), frame in runs.items()
        ],
    }
    data = json.dumps(told, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    data = data.replace("<", "\\u003c")  # so that no text of it can end the script
    return HTML(
        f'<div class="explorer"><script type="application/json">{data}</script>'
        "<p>Here a page with JavaScript lets you carry a learning rate over sizes.</p></div>"
    )


def mean_curves(frame: pd.DataFrame, axis: str) -> list[dict[str, Any]]:
    """By size the rates as log2 and the mean losses over seeds; None where a seed diverged."""
    found = []
    for size, rows in frame.groupby(axis):
        means = rows.groupby("log2_lr")["loss"].mean()
        losses = [rounded(loss) for loss in means]
        found.append({"size": int(str(size)), "rates": means.index.tolist(), "losses": losses})
    return found


def rounded(loss: float) -> float | None:
    """A loss to :data:`DIGITS` significant digits; None for one that is not finite."""
    return float(f"{loss:.{DIGITS}g}") if np.isfinite(loss) else None
