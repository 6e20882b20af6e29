"""Drawn diagrams in a browser: legible on a phone, no two words touching, in the theme's ink."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from book_pages import DESK, PHONE, documents
from playwright.sync_api import Browser, Page

from diagrams.drawing.canvas import SMALL
from diagrams.drawing.palette import INKS, PAGE

ROOT = Path(__file__).resolve().parents[3]


def shown() -> dict[str, int]:
    """How many diagrams each page of the book shows."""
    sources = {name: (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in documents()}
    count = {name: len(re.findall("_static/diagrams/", text)) for name, text in sources.items()}
    return {name: number for name, number in count.items() if number}


SHOWN = shown()

# Boxes of the words on each diagram, in pixels; size is that of the letters.
WORDS = """diagrams => diagrams.map(diagram => {
    const scale = diagram.getBoundingClientRect().width / diagram.viewBox.baseVal.width;
    const frame = diagram.getBoundingClientRect();
    return [...diagram.querySelectorAll('text')].map(text => {
        const box = text.getBoundingClientRect();
        const inset = box.height * 0.15;  // the line's height, and not the letters'
        return {
            words: text.textContent,
            size: scale * parseFloat(text.getAttribute('font-size')),
            left: box.left, right: box.right, top: box.top + inset, bottom: box.bottom - inset,
            inside: box.left >= frame.left - 1 && box.right <= frame.right + 1,
        };
    });
})"""
COLOURS = """diagrams => diagrams.flatMap(diagram => [...diagram.querySelectorAll('text')].map(
    text => [text.classList[0], getComputedStyle(text).fill]))"""


@pytest.fixture
def page(browser: Browser, site: str, request) -> Iterator[Page]:
    """A page of the book at a width, without its scripts: they draw no diagram."""
    name, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 850})
    context.set_default_timeout(120_000)  # milliseconds: a page may wait for a busy processor
    context.route("**/*.js*", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{site}{name}.html")
    yield page
    context.close()


def overlap(one: dict, other: dict) -> bool:
    return (
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.parametrize("page", product(SHOWN, (PHONE, DESK)), indirect=True, ids=str)
def test_words_can_be_read_and_told_apart(page: Page, request):
    diagrams = page.locator("figure svg.diagram").evaluate_all(WORDS)
    assert len(diagrams) == SHOWN[request.node.callspec.params["page"][0]]
    for texts in diagrams:
        assert [text["words"] for text in texts if not text["inside"]] == []
        assert min(text["size"] for text in texts) >= SMALL * 0.97
        for i, one in enumerate(texts):
            touching = [other["words"] for other in texts[:i] if overlap(one, other)]
            assert touching == [], one["words"]


@pytest.mark.parametrize("page", [("book/intro", DESK)], indirect=True, ids=str)
def test_a_reader_who_changes_the_theme_changes_the_diagrams(page: Page):
    for theme in ("light", "dark"):  # one of them is not what the system asks for
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == rgb(PAGE[theme])
        colours = page.locator("svg.diagram").evaluate_all(COLOURS)
        assert colours
        assert all(colour == rgb(INKS[theme][ink]) for ink, colour in colours)
