"""Figures in fewer letters: what matplotlib writes, without what nobody sees."""

from __future__ import annotations

import re

SAID_ASIDE = re.compile(
    r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL
)
ID = re.compile(r' id="([^"]*)"')
LINK = re.compile(r'(href="#|url\(#)([\w-]+)')
STYLE = re.compile(r' style="([^"]*)"')
PATH = re.compile(r' d="([^"]*)"')
PLACES = re.compile(r' (d|x|y|points|transform)="([^"]*)"')
NUMBER = re.compile(r"scale\([^)]*\)|-?\d+\.\d{3,}")


def shortened(number: re.Match[str]) -> str:
    """A number to hundredths; a scale as it is, since places are multiplied by it."""
    if number[0].startswith("scale"):
        return number[0]
    told = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if told == "-0" else told


def path(told: re.Match[str]) -> str:
    """A path without the letters and spaces that its reader does without."""
    points = re.sub(r" ?([A-Za-z]) ?", r"\1", told[1])
    if not set(points) - set("MLz0123456789.- "):  # points after the first are joined by lines
        points = points.replace("L", " ")
    return f' d="{points}"'


def lean_figure(svg: str) -> str:
    """A figure with short names, each style told once, and places to hundredths of a point.

    Args:
        svg: The figure as matplotlib writes it.
    """
    svg = SAID_ASIDE.sub("", svg).replace("xlink:href", "href")
    svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    names = {link[1]: f"i{i}" for i, link in enumerate(dict.fromkeys(LINK.findall(svg)))}
    svg = ID.sub(lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", svg)
    svg = LINK.sub(lambda m: m[1] + names[m[2]], svg)
    svg = PLACES.sub(lambda m: f' {m[1]}="{NUMBER.sub(shortened, " ".join(m[2].split()))}"', svg)
    styles = {style: f"s{i}" for i, style in enumerate(dict.fromkeys(STYLE.findall(svg)))}
    svg = STYLE.sub(lambda m: f' class="{styles[m[1]]}"', PATH.sub(path, svg))
    told = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    return re.sub(r">\s+<", "><", svg.replace("</style>", f"{told}</style>", 1)).strip()
