"""A drawn diagram stands in its page; any other image stays an image."""

from pathlib import Path

import pytest
from inline_diagrams import FOLDER, said
from one_page import built

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>words</text></svg>\n'
PAGE = """\
# Page

```{{figure}} {path}
:name: fig-one
{alt}

A caption.
```
"""


def build(folder: Path, path: str, alt: str) -> tuple[str, str]:
    """The page's HTML, and what the builder complained of."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(DRAWING)
    return built(folder, "inline_diagrams", PAGE.format(path=path, alt=alt))


def test_the_drawing_and_its_words_are_in_the_page(tmp_path: Path):
    page, complaints = build(tmp_path, f"{FOLDER}/one.svg", ":alt: A < B.")
    figure = page.split("<figure")[1].split("</figure>")[0]
    assert '<svg role="img" aria-label="A &lt; B."' in figure and "<text>words</text>" in figure
    assert 'id="fig-one"' in figure and "A caption." in figure and "<img" not in figure
    assert complaints == ""


def test_the_words_are_found_by_a_search(tmp_path: Path):
    build(tmp_path, f"{FOLDER}/one.svg", ":alt: A drawing.")
    assert '"word":0' in (tmp_path / "html" / "searchindex.js").read_text().replace(" ", "")


def test_another_image_stays_one(tmp_path: Path):
    page, complaints = build(tmp_path, "book/_static/one.svg", ":alt: A drawing.")
    assert '<img alt="A drawing."' in page and "<text>words</text>" not in page
    assert complaints == ""


def test_a_diagram_without_a_text_stops_the_strict_build(tmp_path: Path):
    _, complaints = build(tmp_path, f"{FOLDER}/one.svg", ":width: 90%")
    assert "one.svg has no text for who cannot see it: give it :alt:" in complaints


@pytest.mark.parametrize("words", ['a "quoted" word', "1 < 2 & 3"])
def test_any_text_can_be_said(words: str):
    from xml.etree import ElementTree

    assert ElementTree.fromstring(said(DRAWING, words)).get("aria-label") == words
