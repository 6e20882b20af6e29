"""What the axes of the book's figures share: scales of sizes, what lies beyond them, the legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike

from specmup.figures.style import INK

BAND = 0.12  # part of the axes kept for what lies off the scale


def band(
    ax: Axes, beyond: Sequence[tuple[Sequence[float], str]], text: str, *, always: bool = False
) -> None:
    """Triangles in a band above the scale, one row a curve, for values that cannot be drawn."""
    rows = [(x, tint) for x, tint in beyond if len(x)]
    if not (rows or always):
        return
    low, top = ax.get_ylim()
    ticks = [tick for tick in ax.get_yticks() if low <= tick <= top]
    scale = ax.yaxis.get_transform()
    bottom, edge = scale.transform([low, top])
    ax.set_ylim(top=scale.inverted().transform([bottom + (edge - bottom) / (1 - BAND)])[0])
    ax.set_yticks(ticks)
    for row, (x, tint) in enumerate(rows):
        height = 1 - BAND * (row + 0.5) / len(rows)
        heights, place = np.full(len(x), height), ax.get_xaxis_transform()
        ax.plot(x, heights, "^", color=tint, ms=5, zorder=4, transform=place)
    if rows:
        ax.axhline(top, color=INK, linewidth=0.8, linestyle=":")
        # In the middle: diverged runs lie at the ends of the axis.
        middle, place = (0.5, 1 - BAND / 2), ax.transAxes
        ax.text(*middle, text, fontsize="small", transform=place, ha="center", va="center")


def legend(ax: Axes, title: str | None = None) -> None:
    """Beside the axes, so that it hides nothing."""
    ax.legend(title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)


def minus(number: object) -> str:
    """A number as text, with the minus sign of matplotlib's axes."""
    return str(number).replace("-", "−")


def decades(ax: Axes) -> None:
    """A logarithmic vertical axis with as many plain numbers as its span needs."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    span = np.log10(high / low)
    between = (1,) if span > 3 else (1, 2, 5) if span > 0.7 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ax.yaxis.set_major_locator(LogLocator(subs=between))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def doublings(ax: Axes, sizes: ArrayLike) -> None:
    """A base-2 horizontal axis whose ticks are the sizes themselves."""
    at = np.unique(sizes)
    ax.set_xscale("log", base=2)
    ax.set_xticks(at, [f"{value:g}" for value in at])
    ax.xaxis.set_minor_locator(NullLocator())
