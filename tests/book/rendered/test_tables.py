"""Tables: a caption, a number by chapter, typeset cells, and heads that say what they are of."""

import re

import pytest
from book_pages import PHONE, documents
from browsers import wait_until_shown
from bs4 import BeautifulSoup, Tag

PAGES = documents()
WRONG = {
    "a hyphen for a minus": r"(?<![\w.])-\.?\d",
    "a plus and a minus for ±": r"\+/?-",
    "more than four decimals": r"(?<![\d.])\d+\.\d{5}(?![\d.]*\.)",
    "a number that may be torn from its ±": r"\d ±|± \d",
}


def tables(html, name: str) -> list[Tag]:
    """The tables of a page, those in folds too."""
    page = BeautifulSoup((html / f"{name}.html").read_text(), "html.parser")
    return page.select("article table")


def wrong_in(cell: str) -> list[str]:
    """What is wrong with a cell's text."""
    return [what for what, pattern in WRONG.items() if re.search(pattern, cell)]


@pytest.mark.parametrize("name", PAGES)
def test_cells_are_typeset(html, name: str):
    cells = (cell for table in tables(html, name) for cell in table.select("td, th"))
    texts = ["".join(cell.find_all(string=lambda s: s.parent.name != "code")) for cell in cells]
    assert {text: wrong for text in texts if (wrong := wrong_in(text))} == {}


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("chapters/")])
def test_tables_of_a_chapter_have_captions_and_are_numbered_in_turn(html, name: str):
    captions = [table.caption for table in tables(html, name)]
    assert None not in captions
    numbers = [caption.select_one(".caption-number").get_text() for caption in captions]
    chapters = {re.fullmatch(r"Table (\d+)\.(\d+) ", number)[1] for number in numbers}
    assert len(chapters) <= 1
    turns = [int(number.split(".")[1]) for number in numbers]
    assert turns == list(range(1, len(turns) + 1))
    told = [caption.select_one(".caption-text").get_text() for caption in captions]
    assert [text for text in told if len(text) < 20 or text[-1] not in ".?"] == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("chapters/")])
def test_heads_say_what_they_are_heads_of(html, name: str):
    for table in tables(html, name):
        assert {head.get("scope") for head in table.select("thead th")} <= {"col", "colgroup"}
        rows = table.select("tbody tr")
        assert all(row.select('th[scope="row"]') for row in rows)


def test_points_lie_under_each_other_and_a_wide_table_scrolls_in_its_box(site, browser):
    context = browser.new_context(viewport={"width": PHONE, "height": 850})
    page = context.new_page()
    page.goto(f"{site}chapters/01-learning-rate-moves.html")
    wait_until_shown(page)
    table = page.locator("table#tab-ch01-costs")
    points = table.evaluate(POINTS)
    assert len(points) == 4
    for places in points:
        assert max(places) - min(places) <= 1.5
    box = page.locator(".pst-scrollable-table-container", has=table)
    assert box.bounding_box()["width"] <= PHONE
    # How much wider the table is than its box depends on the machine's fonts.
    hidden = box.evaluate("box => box.scrollWidth - box.clientWidth")
    assert hidden > 0
    scrolled = box.evaluate("box => (box.scrollLeft = box.scrollWidth, box.scrollLeft)")
    assert abs(scrolled - hidden) <= 1
    caption = table.locator("caption").bounding_box()  # stays where it is
    assert caption["x"] >= 0
    assert caption["x"] + caption["width"] <= PHONE
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    context.close()


# For each column but the first: how far from the left the first point of each cell stands.
POINTS = """table => [...table.rows[table.rows.length - 1].cells].slice(1).map((_, column) =>
  [...table.tBodies[0].rows].flatMap(row => {
    const walker = document.createTreeWalker(row.cells[column + 1], NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const at = text.data.indexOf(".");
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return [range.getBoundingClientRect().x];
    }
    return [];
  }))"""


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("-0.5", ["a hyphen for a minus"]),
        ("2^-5", ["a hyphen for a minus"]),
        ("0.1 +- 0.2", ["a plus and a minus for ±"]),
        ("0.12345", ["more than four decimals"]),
        ("0.1 ± 0.2", ["a number that may be torn from its ±"]),
        ("−0.1234\xa0±\xa00.01, 2026-11-26, version 2.1.12345, gpt-2", []),
    ],
)
def test_what_is_wrong_is_seen(cell: str, wrong: list[str]):
    assert wrong_in(cell) == wrong
