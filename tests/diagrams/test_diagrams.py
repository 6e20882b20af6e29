"""Drawn diagrams: the committed files are what the code draws, readable, placed and explained."""

import ast
import re
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib import font_manager

from diagrams.__main__ import FOLDER, drawn, names, path_of
from diagrams.drawing.canvas import SMALL, WIDTH
from specmup.theory import condition

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*(ROOT / "book").glob("*.md"), *(ROOT / "chapters").glob("*.md")]
PLACED = re.compile(
    r"^```\{figure\} (?P<up>\S*)_static/diagrams/(?P<stem>[a-z-]+)\.svg\n"
    r"(?P<options>(?::\w+:[^\n]*\n)*)\n(?P<caption>.+?)^```",
    re.MULTILINE | re.DOTALL,
)
SVG = "{http://www.w3.org/2000/svg}"
# As wide as any font that a reader's system may have.
PLAIN, BOLD = (font_manager.findfont(f"DejaVu Sans:weight={w}") for w in ("normal", "bold"))

every = pytest.mark.parametrize("name", names())


def file_of(name: str) -> ElementTree.Element:
    return ElementTree.parse(path_of(name)).getroot()


def words(name: str) -> str:
    """All that is written on a diagram."""
    return " ".join("".join(t.itertext()) for t in file_of(name).iter(f"{SVG}text"))


def wide(letters: str, size: float, bold: bool) -> float:
    font = font_manager.get_font(BOLD if bold else PLAIN)
    font.set_size(size, 72)
    font.set_text(letters)
    return font.get_width_height()[0] / 64


def extent(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """A text's left, top, right and bottom, capital letters and scripts included."""
    size, x, y = (float(text.get(key)) for key in ("font-size", "x", "y"))
    pieces = [(text.text or "", size)]
    for span in text:
        pieces += [(span.text, float(span.get("font-size", size))), (span.tail or "", size)]
    bold = text.get("font-weight") is not None
    width = sum(wide(letters, of_size, bold) for letters, of_size in pieces if letters)
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")]
    return left, y - 0.75 * size, left + width, y + 0.22 * size


@every
def test_the_committed_file_is_what_the_code_draws(name):
    assert path_of(name).read_text(encoding="utf-8") == drawn(name)


def test_every_committed_file_has_its_code():
    assert set(FOLDER.glob("*.svg")) == {path_of(name) for name in names()}
    assert len(names()) >= 10


@every
def test_every_text_lies_on_the_canvas(name):
    root = file_of(name)
    height = float(root.get("viewBox").split()[-1])
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        inside = left >= 0 and top >= 0 and right <= WIDTH and bottom <= height
        assert inside, ("".join(text.itertext()), extent(text))


@every
def test_no_two_texts_touch(name):
    texts = list(file_of(name).iter(f"{SVG}text"))
    for one, other in combinations(texts, 2):
        a, b = extent(one), extent(other)
        apart = a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
        assert apart, ("".join(one.itertext()), "".join(other.itertext()))


@every
def test_no_dot_lies_under_a_text(name):
    root = file_of(name)
    dots = [[float(c.get(k)) for k in ("cx", "cy", "r")] for c in root.iter(f"{SVG}circle")]
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        for x, y, radius in dots:
            beside = (
                not left - radius < x < right + radius or not top - radius < y < bottom + radius
            )
            assert beside or radius > 20, ("".join(text.itertext()), (x, y))


@every
def test_a_text_in_a_box_fits_into_it(name):
    root = file_of(name)
    boxes = [
        (x, y, x + width, y + height)
        for rect in root.iter(f"{SVG}rect")
        for x, y, width, height in [[float(rect.get(k)) for k in ("x", "y", "width", "height")]]
    ]
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        middle = (left + right) / 2, (top + bottom) / 2
        for box in boxes:
            if box[0] < middle[0] < box[2] and box[1] < middle[1] < box[3]:
                fits = box[0] < left and right < box[2] and box[1] < top and bottom < box[3]
                assert fits, ("".join(text.itertext()), box)


@every
def test_what_is_written_can_be_read_on_a_phone(name):
    """There a unit is a pixel."""
    for text in file_of(name).iter(f"{SVG}text"):
        assert float(text.get("font-size")) >= SMALL
        assert all(float(span.get("font-size", SMALL)) >= 9.5 for span in text)


@every
def test_it_is_shown_once_with_a_name_a_text_and_a_caption(name):
    stem = path_of(name).stem
    (found,) = (
        (page, figure)
        for page in PAGES
        for figure in PLACED.finditer(page.read_text(encoding="utf-8"))
        if figure["stem"] == stem
    )
    page, figure = found
    assert (page.parent / f"{figure['up']}_static").resolve() == ROOT / "book" / "_static"
    options = dict(re.findall(r"^:(\w+): (.+)$", figure["options"], re.MULTILINE))
    assert options["name"].startswith("fig-")
    assert len(options["alt"].split()) >= 8 and options["alt"].endswith(".")
    assert len(figure["caption"].split()) >= 15


@every
def test_numbers_in_words_about_it_are_numbers_in_it(name):
    stem, written = path_of(name).stem, set(re.findall(r"\d+", words(name)))
    for page in PAGES:
        for figure in PLACED.finditer(page.read_text(encoding="utf-8")):
            if figure["stem"] == stem:
                about = re.sub(r"\{\w+\}`[^`]*`|^:name:.*$", "", figure[0], flags=re.MULTILINE)
                said = re.findall(r"(?<![\w-])\d+(?!\w)", about)
                assert set(said) - {"1", "2"} <= written


@every
def test_no_order_is_typed(name):
    """They come from the solver: no string of a diagram's code holds a root, or one over n or L."""
    source = (FOLDER.parents[1] / "diagrams" / f"{name}.py").read_text(encoding="utf-8")
    docstrings = [
        node.body[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        if isinstance(node.body[0], ast.Expr)
    ]
    said = {ast.dump(node) for node in docstrings}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if ast.dump(node) not in said:
                assert not re.search(r"√|/\(?\*[nLr]|1/[nLr]", node.value), node.value


@pytest.mark.parametrize("name", ["residual_block", "one_map_against_two"])
def test_another_theory_draws_other_orders(name, monkeypatch):
    monkeypatch.setattr(condition, "ALIGNED", Fraction(3))
    assert drawn(name) != path_of(name).read_text(encoding="utf-8")
    assert '<tspan dy="-4.5" font-size="11.2">3</tspan>' in drawn(name)
