"""A figure that answers: every cell of the atlas of one optimizer, measured against predicted.

The page holds the exponents; ``_static/atlas.js`` draws those of the optimizer, the number of maps
and the size that a reader chooses. Where there is no script, the map of all cells stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from IPython.display import HTML

from experiments.reading.cells import ANSWERS, Cell
from experiments.reading.panels import RANGE
from specmup.analysis.exponents import TOLERANCE
from specmup.theory.update import update_law

DIGITS = 3  # of an exponent


def atlas_explorer(found: Sequence[Cell]) -> HTML:
    """The element that the script fills.

    Args:
        found: Cells, for each optimizer, number of maps and quantity the same roles and axes.

    Raises:
        ValueError: If there are none, or some have other roles and axes.
    """
    by_key: dict[tuple[str, int, str], list[Cell]] = {}
    for cell in found:
        key = (update_law(cell.optimizer).title, cell.block_depth, cell.quantity)
        by_key.setdefault(key, []).append(cell)
    places = {tuple((cell.role, cell.axis) for cell in cells) for cells in by_key.values()}
    if len(places) != 1:
        raise ValueError(f"{len(places)} lists of roles and axes: give each optimizer the same")
    told = {
        "tolerance": TOLERANCE,
        "range": RANGE,
        "verdicts": ANSWERS,
        "places": [(role.replace("_", " "), axis) for role, axis in places.pop()],
        "predicted": {
            f"{k}|{quantity}": [cell.predicted for cell in cells]
            for (_, k, quantity), cells in by_key.items()
        },
        "measured": {
            "|".join(map(str, key)): [exponent(cell) for cell in cells]
            for key, cells in by_key.items()
        },
    }
    data = json.dumps(told, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return HTML(
        f'<div class="explorer atlas"><script type="application/json">{data}</script>'
        "<p>Here a page with JavaScript shows the cells of the optimizer you choose.</p></div>"
    )


def exponent(cell: Cell) -> list[float]:
    """Estimate and interval, and which of the answers the verdict is."""
    measured = cell.measured
    ends = (measured.estimate, measured.low, measured.high)
    return [*(round(end, DIGITS) for end in ends), ANSWERS.index(cell.verdict.answer)]
