"""Letters of an SVG figure as text, in the order in which they are read, with the fonts they need.

Matplotlib can write letters as outlines, which nobody can search or copy, or as text in a font that
the reader's machine may lack. It sets formulas letter by letter, those of one style first. Here
text stays text: letters of one style that stand in a row are one piece, pieces go from left to
right, and each face that is used is embedded with the letters that are used of it.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from functools import lru_cache
from html import escape, unescape
from io import BytesIO, StringIO
from itertools import groupby
from typing import Any

import matplotlib as mpl
from matplotlib import cbook, font_manager
from matplotlib.backends.backend_svg import FigureCanvasSVG

TEXT = re.compile(r"<text([^>]*)>(.*?)</text>", re.DOTALL)
LETTER = re.compile(r'<tspan x="([^"]*)" y="([^"]*)" style="([^"]*)">(.*?)</tspan>', re.DOTALL)
TOLD = {
    "family": re.compile(r"font-family: '([^']+)'"),
    "style": re.compile(r"font-style: (\w+)"),
    "weight": re.compile(r"font-weight: (\w+)"),
}
OPTIONS = {"bbox_inches_restore", "metadata"}
Face = tuple[str, str, str]  # family, style and weight


class CanvasOfText(FigureCanvasSVG):
    """Matplotlib's canvas for SVG, with letters as text."""

    def print_svg(self, filename: Any, **options: Any) -> None:
        """Write the figure.

        Args:
            filename: A path or an open file.
            options: Those of matplotlib's canvas; others are for other formats, and passed over.
        """
        own = {name: options[name] for name in OPTIONS & options.keys()}
        written = StringIO()
        with mpl.rc_context({"svg.fonttype": "none"}):
            super().print_svg(written, **own)
        svg = readable(written.getvalue())
        with cbook.open_file_cm(filename, "w", encoding="utf-8") as file:
            file.write(svg if cbook.file_requires_unicode(file) else svg.encode())


def readable(svg: str) -> str:
    """A figure with letters as text in readable pieces, and with its fonts.

    Args:
        svg: As matplotlib writes it with ``svg.fonttype`` at ``none``.
    """
    svg = TEXT.sub(_in_pieces, svg)
    used: dict[Face, set[str]] = {}
    for attributes, inside in TEXT.findall(svg):
        whole = f"<tspan{attributes}>{inside}</tspan>" if "<tspan" not in inside else inside
        for style, letters in re.findall(r'style="([^"]*)"[^>]*>([^<]*)<', whole):
            used.setdefault(_face(style), set()).update(unescape(letters))
    faces = "".join(_font_face(face, "".join(sorted(used[face]))) for face in sorted(used))
    return svg.replace("</style>", f"{faces}</style>", 1)


def _in_pieces(text: re.Match[str]) -> str:
    """A formula's letters from left to right; a row of them in one style is one piece."""
    attributes, inside = text.groups()
    letters = LETTER.findall(inside)
    if not letters:
        return text[0]
    # An accent that follows a letter would be set by the font, not where its place says.
    accents = [one for one in letters if unicodedata.combining(unescape(one[3])[0])]
    others = sorted((one for one in letters if one not in accents), key=lambda one: float(one[0]))
    rows = [list(row) for _, row in groupby(others, key=lambda one: one[1:3])]
    pieces = "".join(filter(None, map(_piece, rows)))
    apart = "".join(f"<text{attributes}>{_piece([one])}</text>" for one in accents)
    return f"<text{attributes}>{pieces}</text>{apart}"


def _piece(row: list[tuple[str, str, str, str]]) -> str:
    """Letters of one style in one element, each with its place; spaces at its ends take none."""
    while row and row[0][3].isspace():
        row = row[1:]
    while row and row[-1][3].isspace():
        row = row[:-1]
    if not row:
        return ""
    places = " ".join(x for x, *_ in row)
    letters = "".join(escape(unescape(letter), quote=False) for *_, letter in row)
    letters = letters.replace("\xa0", " ")
    _, y, style, _ = row[0]
    return f'<tspan x="{places}" y="{y}" style="{style}">{letters}</tspan>'


def _face(style: str) -> Face:
    found = {name: pattern.search(style) for name, pattern in TOLD.items()}
    family, slant, weight = (match[1] if match else "normal" for match in found.values())
    return family, slant, weight


@lru_cache
def _font_face(face: Face, letters: str) -> str:
    """A style sheet's rule that holds the font of these letters."""
    family, style, weight = face
    heavy = int(weight) if weight.isdigit() else weight
    slant: Any = style  # as matplotlib wrote it
    wanted = font_manager.FontProperties(family=family, style=slant, weight=heavy)
    held = b64encode(_subset(font_manager.findfont(wanted), letters)).decode()
    return (
        f"@font-face{{font-family:'{family}';font-style:{style};font-weight:{weight};"
        f"src:url(data:font/woff;base64,{held})}}"
    )


def _subset(path: str, letters: str) -> bytes:
    """The part of a font that draws these letters."""
    from fontTools import subset

    options = subset.Options(hinting=False, recalc_timestamp=False, flavor="woff")
    options.drop_tables += ["FFTM"]  # when its editor wrote it
    options.layout_features = ["kern", "mark"]
    font = subset.load_font(path, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=letters)
    subsetter.subset(font)
    written = BytesIO()
    subset.save_font(font, written, options)
    return written.getvalue()
