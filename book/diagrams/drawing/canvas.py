"""A canvas as wide as a telephone's page, on which every diagram of the book is drawn.

One unit is one pixel there, so what is written at 12 can be read; on wider pages the whole grows.
Text stays text. In it ``*n*`` is set in italics, ``_{l}`` below and ``^{2}`` above the line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from diagrams.drawing.palette import NAMES, style_sheet

WIDTH = 358
MAIN, SMALL = 14, 12  # sizes of text
SCRIPT = 0.8  # size of what stands above or below the line, in parts of the text's
RISE = 0.32  # and its distance from the line
LEVELS = {"_{": -1, "^{": 1, "}": 0}
HEAD = 8  # length of an arrow's head
ALONE = 1.25  # size of a diagram that stands in no page, in parts of its own

Point = tuple[float, float]


class Canvas:
    """A diagram in the making; ``str`` gives its SVG.

    Args:
        height: In units; the width is :data:`WIDTH`, that of a telephone's page.
    """

    def __init__(self, height: float) -> None:
        """Begin an empty one."""
        self.height = height
        self._drawn: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        colour: str = "ink",
        size: float = MAIN,
        anchor: str = "middle",
        bold: bool = False,
    ) -> None:
        """Write a line of text; ``y`` is the middle of its small letters."""
        weight = ' font-weight="600"' if bold else ""
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        at = f'x="{_short(x)}" y="{_short(y + 0.35 * size)}" font-size="{_short(size)}"'
        written = "".join(_spans(words, size))
        self._add(f"<text {_class(colour)} {at}{anchored}{weight}>{written}</text>")

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: str = "ink",
        corner: float = 5,
    ) -> None:
        """Draw a box by its upper left corner."""
        size = f'width="{_short(width)}" height="{_short(height)}" rx="{_short(corner)}"'
        self._add(f'<rect {_class("box", colour)} x="{_short(x)}" y="{_short(y)}" {size}/>')

    def labelled_box(
        self,
        centre: Point,
        width: float,
        words: str,
        colour: str = "ink",
        height: float = 28,
        size: float = MAIN,
    ) -> None:
        """Draw a box about a point, with a line of text in it."""
        x, y = centre
        self.box(x - width / 2, y - height / 2, width, height, colour)
        self.text(x, y, words, colour, size)

    def line(
        self,
        points: Sequence[Point],
        colour: str = "ink",
        width: float = 1.5,
        dashed: bool = False,
        arrow: bool = False,
    ) -> None:
        """Draw a line through points; an arrow's head comes at the last."""
        if arrow:
            points = [*points[:-1], self._head(points[-2], points[-1], colour)]
        path = "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        stroke = f'stroke-width="{_short(width)}" stroke-linejoin="round"{dashes}'
        self._add(f'<path {_class("line", colour)} d="{path}" {stroke}/>')

    def dot(self, centre: Point, radius: float = 3, colour: str = "ink") -> None:
        """Draw a full disc."""
        self._circle("full", centre, radius, colour)

    def ring(self, centre: Point, radius: float, colour: str = "ink", dashed: bool = False) -> None:
        """Draw a circle, empty."""
        self._circle("line", centre, radius, colour, ' stroke-dasharray="5 4"' if dashed else "")

    def sum_of(self, centre: Point, colour: str = "ink") -> None:
        """Draw the sign at which a branch is added to the stream."""
        x, y = centre
        self._circle("box", centre, 9, colour)
        self.line([(x - 5, y), (x + 5, y)], colour)
        self.line([(x, y - 5), (x, y + 5)], colour)

    def __str__(self) -> str:
        """The file's text."""
        size = f'viewBox="0 0 {WIDTH} {_short(self.height)}"'
        alone = f'width="{_short(ALONE * WIDTH)}" height="{_short(ALONE * self.height)}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="diagram" {size} {alone}>'
        return "\n".join([head, f"<style>\n{style_sheet()}\n</style>", *self._drawn, "</svg>", ""])

    def _add(self, element: str) -> None:
        self._drawn.append(element)

    def _circle(self, kind: str, centre: Point, radius: float, colour: str, more: str = "") -> None:
        x, y = map(_short, centre)
        self._add(f'<circle {_class(kind, colour)} cx="{x}" cy="{y}" r="{_short(radius)}"{more}/>')

    def _head(self, before: Point, tip: Point, colour: str) -> Point:
        """Draw an arrow's head and return where its line ends."""
        angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
        along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
        foot = (tip[0] - HEAD * along[0], tip[1] - HEAD * along[1])
        sides = [(foot[0] + s * across[0], foot[1] + s * across[1]) for s in (-4, 4)]
        path = "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in (tip, *sides)) + "Z"
        self._add(f'<path {_class("full", colour)} d="{path}"/>')
        return foot


def _spans(words: str, size: float) -> Iterator[str]:
    """Pieces that are set alike; one above or below moves the line, and the next moves it back."""
    italic, level, now = False, 0, 0
    for token in re.split(r"(\*|_\{|\^\{|\})", words):
        if token == "*":
            italic = not italic
        elif token in LEVELS:
            level = LEVELS[token]
        elif token:
            attributes = ' class="i"' if italic else ""
            if level != now:
                attributes += f' dy="{_short((now - level) * RISE * size)}"'
            if level:
                attributes += f' font-size="{_short(SCRIPT * size)}"'
            now = level
            yield f"<tspan{attributes}>{escape(token)}</tspan>" if attributes else escape(token)


def _class(*names: str) -> str:
    """The attribute, once the colour is known.

    Raises:
        ValueError: If the last name is no colour of the palette.
    """
    if names[-1] not in NAMES:
        raise ValueError(f"{names[-1]!r} is no colour of diagrams: choose from {', '.join(NAMES)}")
    return f'class="{" ".join(names)}"'


def _short(value: float) -> str:
    """A coordinate to a tenth: the same on every machine, and no longer than it must be."""
    return f"{round(value, 1) + 0:g}"
