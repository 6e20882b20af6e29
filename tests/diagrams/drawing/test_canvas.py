"""What is put on a canvas is in its file."""

from xml.etree import ElementTree

import pytest

from diagrams.drawing.canvas import SCRIPT, WIDTH, Canvas

SVG = "{http://www.w3.org/2000/svg}"


def parsed(canvas: Canvas) -> ElementTree.Element:
    return ElementTree.fromstring(str(canvas))


def test_a_line_of_text_in_its_pieces():
    canvas = Canvas(50)
    canvas.text(10, 20, "a < *h*_{*l*−1} + b^{2}", size=10)
    (text,) = parsed(canvas).iter(f"{SVG}text")
    assert "".join(text.itertext()) == "a < hl−1 + b2"
    assert [s.text for s in text if s.get("class") == "i"] == ["h", "l"]
    small = [s.text for s in text if s.get("font-size") == f"{10 * SCRIPT:g}"]
    assert small == ["l", "−1", "2"]
    # What went below came back, and what is above at the end stays there.
    assert sum(float(s.get("dy", 0)) for s in text) == pytest.approx(-3.2)


def test_an_arrow_ends_where_it_points():
    canvas = Canvas(50)
    canvas.line([(0, 10), (30, 10)], arrow=True)
    head, line = parsed(canvas).iter(f"{SVG}path")
    assert head.get("d").startswith("M30 10L") and line.get("d") == "M0 10L22 10"


def test_the_size_is_in_the_file():
    assert parsed(Canvas(50)).get("viewBox") == f"0 0 {WIDTH} 50"


def test_a_colour_that_the_palette_lacks_is_refused():
    with pytest.raises(ValueError, match="'red' is no colour of diagrams: choose from ink"):
        Canvas(50).text(0, 0, "x", "red")


def test_the_same_drawing_is_the_same_file():
    files = set()
    for _ in range(2):
        canvas = Canvas(50)
        canvas.dot((1 / 3, 2 / 3))
        files.add(str(canvas))
    assert len(files) == 1
