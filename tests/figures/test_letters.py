"""Letters of figures are text that reads from left to right, in fonts that the file holds."""

import re
from base64 import b64decode
from collections import Counter
from html import unescape
from io import BytesIO, StringIO
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from specmup.figures.letters import CanvasOfText

LABEL = r"$\log_2\eta$ of width $n$, $\|\Delta W\|_R$ & $\frac{1}{2}\sqrt{L}$"
FACE = re.compile(
    r"@font-face\{font-family:'([^']+)';font-style:(\w+);font-weight:(\w+);"
    r"src:url\(data:font/woff;base64,([^)]+)\)\}"
)


def written(canvas, label=LABEL):
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    ax.plot([1, 1000], [1, 2])
    ax.set(xscale="log", xlabel=label)
    ax.set_title("A title", weight="bold")
    file = StringIO()
    with mpl.rc_context(
        {"svg.fonttype": "none", "mathtext.fontset": "dejavusans", "svg.hashsalt": "salt"}
    ):
        canvas(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue()


def texts(svg):
    tree = ElementTree.fromstring(svg)
    return ["".join(text.itertext()).strip() for text in tree.iter() if text.tag.endswith("}text")]


def test_a_formula_reads_from_left_to_right():
    found = texts(written(CanvasOfText))
    assert {"A title", "log2ηof widthn, ‖ΔW‖R&12√L", "103"} <= set(found)


def placed(svg):
    """How often each letter stands at each place, in each style."""
    found = Counter()
    for x, y, style, letters in re.findall(
        r'<tspan x="([^"]*)" y="([^"]*)" style="([^"]*)">(.*?)</tspan>', svg, re.DOTALL
    ):
        pairs = zip(x.split(), unescape(letters), strict=True)
        found.update((letter, at, y, style) for at, letter in pairs if not letter.isspace())
    return found


@pytest.mark.parametrize("label", [LABEL, r"$\hat\alpha < \bar x$"])
def test_every_letter_keeps_its_place_and_its_style(label):
    assert placed(written(CanvasOfText, label)) == placed(written(FigureCanvasSVG, label))


def test_an_accent_is_no_part_of_a_word():
    svg = written(CanvasOfText, r"$\hat\alpha$ of it")
    assert {"αof it", "\N{COMBINING CIRCUMFLEX ACCENT}"} <= set(texts(svg))


def test_the_file_holds_the_fonts_of_all_its_letters():
    svg = written(CanvasOfText)
    held = {
        face: set(TTFont(BytesIO(b64decode(font))).getBestCmap())
        for *face, font in FACE.findall(svg)
        for face in [tuple(face)]
    }
    sans = "DejaVu Sans"
    assert set(held) >= {
        (sans, "normal", "normal"),
        (sans, "oblique", "normal"),
        (sans, "normal", "700"),
    }
    assert set(map(ord, "A title")) <= held[sans, "normal", "700"]
    assert {*map(ord, "ηnWRL")} <= held[sans, "oblique", "normal"]
    assert all(len(letters) < 60 for letters in held.values())  # and no whole font


def test_what_is_written_is_the_same_each_time():
    assert written(CanvasOfText) == written(CanvasOfText)
