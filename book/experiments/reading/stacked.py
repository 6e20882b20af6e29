"""The narrow variant of a figure: its panels below each other, for a page as wide as a phone.

As an extension of IPython (``--ext=experiments.reading.stacked``, with which the book's pages are
executed) it adds a second drawing to what a cell displays of a figure in several columns, in the
output's metadata. The built pages show that to narrow screens.
"""

from __future__ import annotations

import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec
    from matplotlib.legend import Legend

NARROW = "narrow"  # in the metadata
WIDTH = 4.2  # inches: 400 pixels of a page, about as wide as a phone
LEAST = 2.6  # inches: no panel with its labels is lower


def columns(figure: Figure) -> int:
    """How many columns of panels a figure has."""
    places = places_of(figure).values()
    return max((place.get_gridspec().ncols for place in places), default=1)


def stack(figure: Figure) -> None:
    """Put a figure's panels below each other, row by row. It stays so: draw it as it is before.

    A panel takes over what it had in common with others: the label of the vertical axis from its
    row's first panel, the title from its column's first, the label of the horizontal axis from its
    column's last, each label only where the range is the same. It shows the numbers at its ticks.

    Args:
        figure: Its panels lie in one grid, each in one place.
    """
    places = places_of(figure)
    inherit(places)
    order = sorted(places, key=lambda ax: (places[ax].rowspan.start, places[ax].colspan.start))
    high = max(LEAST, figure.get_figheight() / places[order[0]].get_gridspec().nrows)
    figure.set_size_inches(WIDTH, high * len(order))
    grid = figure.add_gridspec(len(order), 1)
    for row, ax in enumerate(order):
        ax.set_subplotspec(grid[row, 0])
        ax.tick_params(labelbottom=True, labelleft=True)
    for legend in list(figure.legends):
        narrow_legend(figure, legend)


def places_of(figure: Figure) -> dict[Axes, SubplotSpec]:
    """Where in the grid each panel stands."""
    found = {ax: ax.get_subplotspec() for ax in figure.axes}
    return {ax: place for ax, place in found.items() if place is not None}


def inherit(places: dict[Axes, SubplotSpec]) -> None:
    """Write on each panel what only the outer ones of its row or column say."""
    at = {(place.rowspan.start, place.colspan.start): ax for ax, place in places.items()}
    last = max(row for row, _ in at)
    said = {}  # before anything is written
    for (row, column), ax in at.items():
        left, top, bottom = (at.get(spot, ax) for spot in ((row, 0), (0, column), (last, column)))
        said[ax] = (
            ax.get_title() or top.get_title(),
            ax.get_xlabel() or (bottom.get_xlabel() if bottom.get_xlim() == ax.get_xlim() else ""),
            ax.get_ylabel() or (left.get_ylabel() if left.get_ylim() == ax.get_ylim() else ""),
        )
    for ax, (title, below, beside) in said.items():
        ax.set(title=title, xlabel=below, ylabel=beside)


def narrow_legend(figure: Figure, legend: Legend) -> None:
    """Set a figure's legend anew above its panels, in two columns."""
    handles = [handle for handle in legend.legend_handles if handle is not None]
    texts = [text.get_text() for text in legend.get_texts()]
    title = legend.get_title().get_text()
    legend.remove()
    above = figure.legend(handles, texts, loc="outside upper center", ncols=2)
    if title:
        above.set_title(title)


def variant(shown: object) -> str | None:
    """The narrow variant as SVG; nothing for a figure of one column, or what is no figure."""
    matplotlib = sys.modules.get("matplotlib.figure")  # no figure where it is not loaded
    if matplotlib is None or not isinstance(shown, matplotlib.Figure) or columns(shown) < 2:
        return None
    stack(shown)
    svg = StringIO()
    shown.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def load_ipython_extension(shell: Any) -> None:
    """Have each display of a figure carry its variant, drawn after the figure as it is."""
    formatter = shell.display_formatter
    format_as_it_is = formatter.format

    def format_both(shown: object, *which: object, **named: object) -> tuple[dict, dict]:
        data, about = format_as_it_is(shown, *which, **named)
        if (narrow := variant(shown)) is not None:
            about = about | {NARROW: narrow}
        return data, about

    formatter.format = format_both
