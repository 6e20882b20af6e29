"""The atlas at a glance: measured exponents against predicted ones, one panel an optimizer."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.reading.cells import ANSWERS, Cell
from specmup.figures.style import INK, MARKERS
from specmup.theory.update import update_law

# Verdicts differ by colour and by how the marker is filled.
VERDICT_COLOURS = {"agrees": "#0072b2", "cannot tell": INK, "disagrees": "#d55e00"}
SYMBOLS = {"width": "$n$", "depth": "$L$"}
RANGE = (-1.1, 1.6)  # exponents drawn; what lies beyond is held at the edge
PANEL_HEIGHT = 1.75  # inches


def atlas_panels(found: Sequence[Cell], quantity: str, *, columns: int = 2) -> Figure:
    """One panel an optimizer: exponents of the width on the left, of the depth on the right.

    A row is a role, its upper marker k = 1 and its lower one k ≥ 2. The grey bar is the prediction
    with its tolerance; the marker and its whisker are the measured exponent and its interval. A
    marker at the very edge lies beyond it.

    Args:
        found: Cells of any number of optimizers.
        quantity: ``update`` or ``change``: which of the cells to draw.
        columns: Panels side by side.

    Raises:
        ValueError: If no cell has that quantity.
    """
    drawn = [cell for cell in found if cell.quantity == quantity]
    if not drawn:
        raise ValueError(f"no cell of quantity {quantity!r} among {len(found)}: nothing to draw")
    optimizers = list(dict.fromkeys(cell.optimizer for cell in drawn))
    roles = list(dict.fromkeys(cell.role for cell in drawn))
    rows = -(-len(optimizers) // columns)
    fig = plt.figure(figsize=(8.2, 0.5 + PANEL_HEIGHT * rows), layout="constrained")
    grid = fig.add_gridspec(rows, 2 * columns)
    for i, optimizer in enumerate(optimizers):
        row, column = divmod(i, columns)
        for side, axis in enumerate(("width", "depth")):
            ax = fig.add_subplot(grid[row, 2 * column + side])
            chosen = [c for c in drawn if (c.optimizer, c.axis) == (optimizer, axis)]
            _panel(ax, chosen, roles, named=column == side == 0)
            title = update_law(optimizer).title if side == 0 else ""
            ax.set_title(title, loc="left", fontsize="medium")
            if i + columns >= len(optimizers):
                ax.set_xlabel(f"exponent of {SYMBOLS[axis]}", fontsize="small")
    fig.legend(handles=_legend(), loc="outside upper center", ncols=6, fontsize="small")
    return fig


def _panel(ax: Axes, chosen: Sequence[Cell], roles: Sequence[str], *, named: bool) -> None:
    """One axis of one optimizer."""
    for cell in chosen:
        y = roles.index(cell.role) + (-0.18 if cell.block_depth == 1 else 0.18)
        answer, tint = cell.verdict.answer, VERDICT_COLOURS[cell.verdict.answer]
        band = 2 * cell.verdict.tolerance
        left = cell.predicted - cell.verdict.tolerance
        ax.barh(y, band, left=left, height=0.3, color=INK, alpha=0.3, linewidth=0)
        low, middle, high = (
            min(max(x, RANGE[0]), RANGE[1])
            for x in (cell.measured.low, cell.measured.estimate, cell.measured.high)
        )
        ax.plot([low, high], [y, y], color=tint, linewidth=1.2)
        face = "none" if answer == "cannot tell" else tint
        ax.plot(middle, y, _marker(cell.block_depth), ms=4, color=tint, mfc=face, clip_on=False)
    ax.set(xlim=RANGE, ylim=(len(roles) - 0.45, -0.55), xticks=[-1, -0.5, 0, 0.5, 1, 1.5])
    ax.set_xticklabels(["−1", "", "0", "", "1", ""])
    names = [role.replace("_", " ") for role in roles]
    ax.set_yticks(range(len(roles)), names if named else [""] * len(roles))
    ax.tick_params(labelsize="small", left=False)
    ax.grid(axis="y", visible=False)


def _marker(block_depth: int) -> str:
    return MARKERS["k1" if block_depth == 1 else "k2"]


def _legend() -> list:
    kinds = [
        Line2D([], [], color=INK, marker=_marker(k), ms=4, linestyle="none", label=text)
        for k, text in ((1, "$k = 1$"), (2, "$k \\geq 2$"))
    ]
    answers = [
        Line2D([], [], color=tint, linewidth=3, label=answer)
        for answer, tint in ((a, VERDICT_COLOURS[a]) for a in ANSWERS)
    ]
    return [Patch(color=INK, alpha=0.3, label="predicted"), *kinds, *answers]
