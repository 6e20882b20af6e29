"""Formulas of TeX as MathML, which browsers set themselves: no script, and words for every reader.

What the book writes is read, and nothing else: a command that is not in ``formula_signs`` is an
error. Spaces around operators are the browser's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import formula_signs as signs
from formula_pieces import (
    Kind,
    Piece,
    aligned,
    fence,
    fenced,
    grown,
    joined,
    letter,
    operator,
    single,
    space,
    tag,
    tight,
    words,
)

Macros = Mapping[str, tuple[str, int]]  # by command: what it stands for, with #1, and its arguments

TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|.", re.DOTALL)
SIZE = re.compile(r"(big|Big|bigg)[lr]?$")
ENVIRONMENTS = ("aligned", "align", "align*", "split", "gathered")
STYLES = {"frac": "", "tfrac": ' displaystyle="false"', "dfrac": ' displaystyle="true"'}
SCRIPTS = {  # by whether there is one below and one above
    Kind.LARGE: {(1, 0): "munder", (0, 1): "mover", (1, 1): "munderover"},
    Kind.LETTER: {(1, 0): "msub", (0, 1): "msup", (1, 1): "msubsup"},
}


def mathml(tex: str, macros: Macros, display: bool = False) -> str:
    """A formula as an element ``math``.

    Args:
        tex: The formula, without the marks around it.
        macros: Commands that the book defines.
        display: Whether it stands on lines of its own.

    Raises:
        ValueError: If there is a command or an environment that is not known, or something without
            its partner or its argument.
    """
    if not display and tex.strip().isdecimal():
        return tex.strip()  # a number alone is a word of the sentence
    kind = ' display="block"' if display else ""
    return f"<math{kind}>{Reader(tex, macros).whole()}</math>"


class Reader:
    """Reads the tokens of one formula from the left."""

    def __init__(self, tex: str, macros: Macros, within: str = ""):
        """Begin with a formula, or a part of one that errors name as the whole."""
        self.macros = macros
        self.formula = within or tex
        self.left = TOKEN.findall(tex)[::-1]  # the next one last

    def wrong(self, what: str) -> ValueError:
        """The error that names the formula."""
        return ValueError(f"{what} in the formula {' '.join(self.formula.split())}")

    def next(self) -> str:
        """The next token after spaces, macros replaced; nothing at the end."""
        while self.left:
            token = self.left.pop()
            if token.isspace() or token == r"\displaystyle":  # the block that it is in says so
                continue
            if token[0] != "\\" or token[1:] not in self.macros:
                return token
            told, count = self.macros[token[1:]]
            for place in range(1, count + 1):
                told = told.replace(f"#{place}", self.raw())
            self.left += TOKEN.findall(told)[::-1]
        return ""

    def peek(self) -> str:
        """The next token, left where it is."""
        token = self.next()
        self.left += [token] if token else []
        return token

    def raw(self) -> str:
        """The next argument as it is written: a group without its braces, or one token."""
        while self.left and self.left[-1].isspace():
            self.left.pop()
        depth, told = 0, []
        while self.left:
            told.append(self.left.pop())
            depth += {"{": 1, "}": -1}.get(told[-1], 0)
            if depth == 0:
                return "".join(told[1:-1] if len(told) > 1 else told)
        raise self.wrong("a brace is not closed, or an argument is missing: give it")

    def argument(self) -> str:
        """The next argument as one element: a group, a character, or a command with its own."""
        if not (token := self.next()):
            raise self.wrong("an argument is missing at the end: give it")
        if token.isdigit():  # of a number without braces the first digit alone
            return tag("mn", token)
        return single(self.piece(token).markup)

    def whole(self) -> str:
        """All that is left, in one row or aligned."""
        rows = self.rows(end="")
        return rows[0][0] if len(rows) == len(rows[0]) == 1 else aligned(rows)

    def rows(self, end: str) -> list[list[str]]:
        """The cells up to an end, by row."""
        rows: list[list[str]] = [[]]
        pieces: list[Piece] = []
        while (token := self.next()) != end:
            if token in ("", "}", r"\end"):
                raise self.wrong(f"{token or 'the end'} comes before {end or 'its partner'}")
            if token in ("&", r"\\"):
                rows[-1].append(joined(pieces))
                pieces = []
                rows += [[]] if token == r"\\" else []
            else:
                piece = self.piece(token)
                if piece.kind is Kind.CLOSE and self.peek() in ("_", "^"):
                    piece = fenced(pieces, piece)
                pieces.append(self.scripted(piece))
        rows[-1].append(joined(pieces))
        return rows

    def scripted(self, base: Piece) -> Piece:
        """A piece with the indices, powers and primes that follow it."""
        found = {"_": "", "^": ""}
        while (token := self.next()) in ("_", "^", "'"):
            if token == "'":
                base = replace(base, markup=tag("mrow", base.markup, tag("mo", "′")))
            elif found[token]:
                raise self.wrong(f"two {token} follow each other: put braces around the first")
            else:
                found[token] = tight(self.argument())
        self.left += [token] if token else []
        below, above = found.values()
        if not (below or above):
            return base
        names = SCRIPTS.get(base.kind, SCRIPTS[Kind.LETTER])
        return replace(base, markup=tag(names[bool(below), bool(above)], base.markup, below, above))

    def piece(self, token: str) -> Piece:
        """What a token begins."""
        if token[0] == "\\":
            return self.command(token[1:])
        if token == "{":
            self.left.append(token)
            return Piece(single(Reader(self.raw(), self.macros, self.formula).whole()))
        if token.isdigit():
            return Piece(tag("mn", token + self.digits()))
        if token.isalpha():
            return letter(token)
        if token in signs.OPENING:
            return fence(token, Kind.OPEN)
        if token in signs.CLOSING:
            return fence(token, Kind.CLOSE)
        if token == "/":
            return operator("/", lspace="0", rspace="0")
        if token == ".":
            return Piece(words("."))
        return operator(signs.SIGNS.get(token, token))

    def digits(self) -> str:
        """The digits that go on with a number; a point at its end is none of it."""
        found = re.match(r"[0-9]*(?:\.[0-9]+)?", "".join(self.left[:-9:-1]))
        told = found[0] if found else ""
        del self.left[len(self.left) - len(told) :]
        return told

    def command(self, name: str) -> Piece:
        """What a command begins: a sign, or what it makes of its arguments."""
        if name in signs.GREEK:
            return letter(signs.GREEK[name])
        if name in signs.UPRIGHT:
            return letter(signs.UPRIGHT[name], upright=True)
        if name in signs.RELATIONS or name in signs.BINARY:
            return operator({**signs.RELATIONS, **signs.BINARY}[name])
        if name in signs.LARGE:
            return operator(signs.LARGE[name], Kind.LARGE)
        if name in signs.LIMITS:
            around = {"lspace": "0.167em", "rspace": "0.167em"}
            return operator(name, Kind.LARGE, movablelimits="true", **around)
        if name in signs.FUNCTIONS:
            return Piece(tag("mi", name), Kind.FUNCTION)
        if name in signs.OPENING:
            return fence(signs.OPENING[name], Kind.OPEN)
        if name in signs.CLOSING:
            return fence(signs.CLOSING[name], Kind.CLOSE)
        if name in signs.SPACES:
            return space(signs.SPACES[name])
        if size := SIZE.match(name):
            told = self.next().removeprefix("\\")
            if told in signs.OPENING:
                return fence(signs.OPENING[told], Kind.OPEN, signs.HEIGHTS[size[1]])
            return fence(signs.CLOSING.get(told, told), Kind.CLOSE, signs.HEIGHTS[size[1]])
        return self.built(name)

    def built(self, name: str) -> Piece:
        """What a command makes of its arguments."""
        if name in STYLES:
            return Piece(f"<mfrac{STYLES[name]}>{self.argument()}{self.argument()}</mfrac>")
        if name == "sqrt":
            return Piece(tag("msqrt", self.argument()))
        if name in signs.ACCENTS:
            element, mark, grows = signs.ACCENTS[name]
            sign = operator(mark, **({} if grows else {"stretchy": "false"})).markup
            return Piece(f'<{element} accent="true">{self.argument()}{sign}</{element}>')
        if name == "underbrace":
            return Piece(f'<mrow class="braced">{self.argument()}</mrow>', Kind.LARGE)
        if name == "operatorname":
            return Piece(tag("mi", self.raw()), Kind.FUNCTION)
        if name == "mathrm":
            return letter(self.raw(), upright=True)
        if name in signs.ALPHABETS:
            first, elsewhere = signs.ALPHABETS[name]
            sign = self.raw()
            return letter(elsewhere.get(sign) or chr(ord(first) + ord(sign) - ord("A")))
        if name == "text":
            parts = self.raw().split("$")  # every second one is a formula again
            inner = [
                Reader(part, self.macros, self.formula).whole() if i % 2 else words(part)
                for i, part in enumerate(parts)
            ]
            return Piece(single("".join(inner)))
        if name == "left":
            sign, rows, last = self.next(), self.rows(end=r"\right"), self.next()
            return Piece(tag("mrow", grown(sign), rows[0][0], grown(last)), Kind.GROUP)
        if name == "begin" and self.raw() in ENVIRONMENTS:
            rows = self.rows(end=r"\end")
            self.raw()
            return Piece(rows[0][0] if len(rows) == len(rows[0]) == 1 else aligned(rows))
        raise self.wrong(f"\\{name} is not known (nor every environment): write it otherwise")
