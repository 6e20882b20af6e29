"""The pieces that a formula in MathML is made of, and how neighbours stand together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from html import escape

from formula_signs import CLOSING, OPENING

SIGNED = re.compile("<mo>([−+±])</mo>")
RATIO = re.compile(r"<mrow>(<mo>[−+]</mo>)?<mn>[\d.]+</mn>(<mo [^>]*>/</mo><mn>\d+</mn>)?</mrow>")
THIN = '<mspace width="0.167em"></mspace>'


class Kind(Enum):
    """What a piece is among its neighbours."""

    LETTER = "a letter, a number, a fraction, a group"
    OPERATOR = "stands between two others"
    OPEN = "opens"
    CLOSE = "closes"
    GROUP = "fences and what stands between them"
    LARGE = "has limits above and below where there is room"
    FUNCTION = "a word that is applied to what follows"
    SPACE = "a space"


ENDS = (Kind.LETTER, Kind.CLOSE, Kind.GROUP)


@dataclass(frozen=True)
class Piece:
    """One piece of a formula: its markup and its kind."""

    markup: str
    kind: Kind = Kind.LETTER


def tag(name: str, *within: str) -> str:
    """An element with others in it."""
    return f"<{name}>{''.join(within)}</{name}>"


def letter(sign: str, upright: bool = False) -> Piece:
    """A variable; one letter alone is slanted unless that is asked off."""
    return Piece(f'<mi mathvariant="normal">{sign}</mi>' if upright else tag("mi", sign))


def operator(sign: str, kind: Kind = Kind.OPERATOR, **said: str) -> Piece:
    """An operator or a fence, and what is said of it."""
    attributes = "".join(f' {name}="{value}"' for name, value in said.items())
    return Piece(f"<mo{attributes}>{escape(sign)}</mo>", kind)


def fence(sign: str, kind: Kind, height: float = 0) -> Piece:
    """A fence that does not grow, of a height in em where one is given."""
    said = {"form": "prefix" if kind is Kind.OPEN else "postfix"} if sign in "‖|" else {}
    if not height:
        return operator(sign, kind, **said, stretchy="false")
    return operator(sign, kind, **said, minsize=f"{height}em", maxsize=f"{height}em")


def grown(sign: str) -> str:
    """A fence as high as what it stands around."""
    return tag("mo", escape({**OPENING, **CLOSING}.get(sign.removeprefix("\\"), sign)))


def fenced(pieces: list[Piece], last: Piece) -> Piece:
    """Take back what stands between a closing fence and its partner, both with it, as one piece.

    A browser lets a fence have its height only where it stands in a row, not under an index.
    """
    depth = 1
    for start in reversed(range(len(pieces))):
        depth += {Kind.CLOSE: 1, Kind.OPEN: -1}.get(pieces[start].kind, 0)
        if depth == 0:
            row = joined([*pieces[start:], last])
            del pieces[start:]
            return Piece(tag("mrow", row), Kind.GROUP)
    return last


def space(width: float) -> Piece:
    """A space of a width in em."""
    return Piece(f'<mspace width="{width}em"></mspace>', Kind.SPACE)


def words(text: str) -> str:
    """Words within a formula, with the spaces at their ends."""
    return tag("mtext", re.sub(r"^\s+|\s+$", "\N{NO-BREAK SPACE}", escape(text)))


def joined(pieces: Iterable[Piece]) -> str:
    """Pieces in a row.

    A sign after an operator or an opening fence belongs to what follows, which browsers see at the
    start of a row alone. A function stands a little apart from letters beside it.
    """
    row, before = "", Kind.OPEN
    for piece in pieces:
        markup = piece.markup
        if row and before in (Kind.OPERATOR, Kind.OPEN) and (sign := SIGNED.fullmatch(markup)):
            markup = operator(sign[1], form="prefix").markup
        applied = before is Kind.FUNCTION and piece.kind in (Kind.LETTER, Kind.FUNCTION)
        if applied or (piece.kind is Kind.FUNCTION and before in ENDS):
            markup = THIN + markup
        row += markup
        if piece.kind is not Kind.SPACE or before is Kind.FUNCTION:
            before = piece.kind
    return row


def tight(script: str) -> str:
    """An index or a power: its operators stand close, and a signed ratio is one number."""
    if RATIO.fullmatch(script):
        return tag("mn", re.sub("<[^>]+>", "", script))
    return script.replace("<mo>", '<mo lspace="0" rspace="0">')


def single(row: str) -> str:
    """A row as one element, where one is asked for."""
    depth = 0
    for mark in re.finditer(r"<(/?)\w+[^>]*>", row):
        depth += -1 if mark[1] else 1
        if depth == 0:
            return row if mark.end() == len(row) else tag("mrow", row)
    return tag("mrow", row)


def aligned(rows: list[list[str]]) -> str:
    """Rows under each other; every second cell begins where the one before it ends."""
    lines = (tag("mtr", *(tag("mtd", cell) for cell in row)) for row in rows)
    return f'<mtable displaystyle="true">{"".join(lines)}</mtable>'
