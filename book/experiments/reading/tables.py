"""Every table of the book: typeset cells, decimals under each other, a caption and a number.

A table is Markdown that Jupyter shows as one. The book's builder numbers it by chapter, and
``_ext/made_tables.py`` sets what Markdown has no sign for: heads of rows, and heads that several
columns share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import pandas as pd
from IPython.display import Markdown

from experiments.reading.values import number
from specmup.aligned import markdown_table
from specmup.theory.order import Order
from specmup.theory.tables import ABSENT, COLUMNS, RATIOS, Rules
from specmup.theory.update import LAWS

# As the book writes what code calls by a plain name.
NAMES = {name: law.title for name, law in LAWS.items()} | {
    **{"sp": "SP", "k1": "$k = 1$", "k2": "$k \\ge 2$", "block_depth": "$k$"},
    **{"k = 1": "$k = 1$", "k ≥ 2": "$k \\ge 2$"},
    **{"gpt2": "GPT\u20112", "layernorm": "LayerNorm"},
    **{"relu": "ReLU", "abs": "$\\lvert\\cdot\\rvert$"},
    **{"ε": "$\\varepsilon$", "ε₀": "$\\varepsilon_0$", "ε₁": "$\\varepsilon_1$"},
}
SHARED = " ¦ "  # between a head that columns share and their own, until the builder sets both
IDENTIFIER = re.compile(r"[A-Za-z]+(_[a-z]+)+")
FORMULA = re.compile(r"(\$[^$]*\$)")
POWER = re.compile(r"\b(\d+|[nL])\^\(?([−-]?[\d./]+)\)?")  # as in 2^-5
MINUS = re.compile(r"(?<!\w)-(?=[\d.])")
TENS = re.compile(r"\b(\d[\d.]*)e([−+-]?)0*(\d+)\b")
JOINED = re.compile(r"(?<=±) | (?=[±%?·✗])")
# A number, its half-width and its sign, in parts that lie under each other.
PLACES = re.compile(r"([−+]?[\d,]+)(\.\d+)?(?:(\xa0±\xa0<?)([\d,]+)(\.\d+)?)?(\xa0[^\d\s])?")
# As wide as a figure and as a point; as characters they would be cut off at a cell's ends.
FIGURE, POINT = "&numsp;", "&puncsp;"


def table(
    rows: pd.DataFrame | Rules,
    caption: str,
    *,
    name: str = "",
    spec: str = ".2f",
    specs: Mapping[Any, str] | None = None,
    ratios: bool = False,
) -> Markdown:
    """A table as the book prints it.

    Orders are set as mathematics, and optimizers, rules and activations by the names that the book
    writes. What is missing is a dash. An index that only counts is left out; any other heads the
    rows. Columns of two levels, or whose index has a name, stand under heads that they share.

    Args:
        rows: What to show. Text in it is Markdown.
        caption: What to see, in a sentence or two of Markdown.
        name: What references call it, such as ``tab-ch06-blocks``.
        spec: Format of numbers that are no integers.
        specs: Formats of columns that differ, by their heads, or of rows, by theirs.
        ratios: Orders are of sizes over the base's, as those of rules always are.
    """
    below = ""
    if isinstance(rows, Rules):
        below = "".join(f"\n\n\\* {_spaced(role)}: {note}" for role, note in rows.notes.items())
        rows, ratios = _orders(rows), True
    specs, letters = specs or {}, RATIOS if ratios else {}
    index = rows.index
    levels = [] if _only_counts(index) else range(index.nlevels)
    columns = [[_head(head, letters) for head in index.get_level_values(level)] for level in levels]
    for key, column in rows.items():
        formats = [specs.get(key, specs.get(row, spec)) for row in index]
        cells = zip(column, formats, strict=True)
        columns.append(decimals_aligned([typeset(cell, form, letters) for cell, form in cells]))
    heads = [_head(index.names[level] or "") for level in levels] + _heads(rows.columns)
    stubs = len(levels) or 1
    head, _, *lines = markdown_table(heads, zip(*columns, strict=True)).splitlines()
    sides = ["---"] * stubs + [_side(column) for column in columns[stubs:]]
    lines = [head, f"| {' | '.join(sides)} |", *lines]
    return Markdown(captioned("\n".join(lines), caption, name, stubs) + below)


def captioned(lines: str, caption: str, name: str = "", stubs: int = 1) -> str:
    """A Markdown table with its caption, its name and how many cells head each row if not one."""
    options = [f":class: stubs-{stubs}"] * (stubs > 1) + [f":name: {name}"] * bool(name)
    begin = [f":::{{table}} {' '.join(caption.split())}", *options]
    return "\n".join([*begin, "", lines, "", ":::"])


def typeset(value: Any, spec: str = ".2f", letters: Mapping[str, str] | None = None) -> str:
    """One cell: orders as mathematics, names as the book writes them, true minus, ± unbroken."""
    if isinstance(value, Order):
        return f"${value.latex(**(letters or {}))}$"
    if value is None or (isinstance(value, Real) and value != value):
        return ABSENT
    text = number(value, spec)
    text = NAMES.get(text) or (_spaced(text) if IDENTIFIER.fullmatch(text) else text)
    text = TENS.sub(_power_of_ten, POWER.sub(_power, text))
    parts = FORMULA.split(text)
    parts[::2] = [_unbroken(MINUS.sub("−", part)) for part in parts[::2]]
    return "".join(parts)


def decimals_aligned(texts: list[str]) -> list[str]:
    """A column whose numbers are filled up with spaces until their points lie under each other.

    All are as long after the point, and those with a half-width after the point of that.
    """
    found = [PLACES.fullmatch(text) for text in texts]
    numbers = [one.groups("") for one in found if one]
    longest = [max(map(len, parts)) for parts in zip(*numbers, strict=True)]
    return [
        _filled(one.groups(""), longest) if one else text
        for text, one in zip(texts, found, strict=True)
    ]


def _filled(parts: Sequence[str], longest: Sequence[int]) -> str:
    """A number in its places, with so many characters for each of its parts."""
    size, decimals, plus, half, half_decimals, sign = parts
    if longest[2]:
        plus = plus or f"\xa0{FIGURE}\xa0"
        half = FIGURE * (longest[3] - len(half)) + half + _decimals(half_decimals, longest[4])
    if longest[5]:
        sign = sign or f"\xa0{FIGURE}"
    return size + _decimals(decimals, longest[1]) + plus + half + sign


def _decimals(text: str, length: int) -> str:
    """Decimals with their point, or nothing, as wide as the longest."""
    missing = length - len(text)
    return text + (FIGURE * missing if text or not missing else POINT + FIGURE * (missing - 1))


def _only_counts(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.name is None


def _side(texts: list[str]) -> str:
    """Markdown for where a column ends: on the right if most of it are numbers."""
    numbers = sum(bool(re.match(r"[−+]?\d", text)) for text in texts)
    return "---:" if 2 * numbers >= len(texts) else "---"


def _unbroken(text: str) -> str:
    """Text in which no bar ends a cell and no number is broken."""
    return JOINED.sub("\xa0", text).replace("|", "\\|")


def _power(found: re.Match[str]) -> str:
    return f"${found[1]}^{{{found[2].replace('−', '-')}}}$"


def _power_of_ten(found: re.Match[str]) -> str:
    digits, sign, power = (part.replace("−", "-").strip("+") for part in found.groups())
    return f"${digits}\\cdot 10^{{{sign}{power}}}$"


def _head(value: Any, letters: Mapping[str, str] | None = None) -> str:
    """A head of a row or column; sizes have no comma, as in the text."""
    return typeset(str(value) if isinstance(value, Integral) else value, "g", letters)


def _heads(columns: pd.Index) -> list[str]:
    """The heads of columns, each behind the one that it shares with others."""
    if isinstance(columns, pd.MultiIndex):
        return [_joined(levels) for levels in columns]
    return [_joined([columns.name or "", head]) for head in columns]


def _joined(levels: Iterable[Any]) -> str:
    return SHARED.join(filter(None, map(_head, levels)))


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _orders(rules: Rules) -> pd.DataFrame:
    """Rules as orders, a row a role, with a star where there is a note."""
    rows = {
        _spaced(row.role) + "\\*" * (row.role in rules.notes): {
            title: getattr(row, column) for column, title in COLUMNS.items()
        }
        for row in rules.values()
    }
    return pd.DataFrame(rows).T.rename_axis("role")
