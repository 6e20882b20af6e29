"""What axe-core finds in the pages: light and dark, at a desk and on a phone.

Every third page as it opens, in one of the four settings, others with another commit; all pages in
all settings, every fold open, with ``EVERY_SETTING=1``, which takes minutes. A letter stands for
each formula: they are many, and ``test_browser`` looks at them.
"""

import os
from collections.abc import Iterator
from itertools import product

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from book_pages import DESK, PHONE, documents
from check_machines import commit
from playwright.sync_api import Browser, Page

SETTINGS = list(product((DESK, PHONE), ("light", "dark")))
PAGES = documents()
PARTS = 3  # of the pages, one of which a commit opens
EVERY = bool(os.environ.get("EVERY_SETTING"))

# One listing stands for all: their colours come from one style sheet, and each word is measured.
REDUCE = """open => {
    if (open) document.querySelectorAll('details').forEach(fold => fold.open = true);
    document.querySelectorAll('details:not([open]) > :not(summary)').forEach(one => one.remove());
    document.querySelectorAll('math').forEach(formula => formula.replaceWith('x'));
    [...document.querySelectorAll('div.highlight pre')].slice(1).forEach(code => code.remove());
    document.querySelectorAll('.source-lines pre > :nth-child(n+100)').forEach(one => one.remove());
}"""
FIND = """async () => {
    const found = await axe.run(document, {resultTypes: ['violations'], preload: false});
    return found.violations.map(one =>
        `${one.impact}: ${one.id}, ${one.nodes.length} times: ${one.nodes[0].html.slice(0, 200)}`);
}"""


def chosen() -> list[tuple[str, tuple[int, str]]]:
    """Pages with the settings in which they are opened."""
    if EVERY:
        return list(product(PAGES, SETTINGS))
    turns = ((name, commit() + i) for i, name in enumerate(PAGES))
    opened = ((name, turn // PARTS) for name, turn in turns if turn % PARTS == 0)
    return [(name, SETTINGS[turn % len(SETTINGS)]) for name, turn in opened]


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Iterator[dict[tuple[int, str], Page]]:
    """One window for each setting."""
    contexts = {
        (width, scheme): browser.new_context(
            viewport={"width": width, "height": 850}, color_scheme=scheme, reduced_motion="reduce"
        )
        for width, scheme in SETTINGS
    }
    for context in contexts.values():
        context.set_default_timeout(120_000)
    yield {setting: context.new_page() for setting, context in contexts.items()}
    for context in contexts.values():
        context.close()


def barriers(page: Page) -> list[str]:
    """What axe-core finds in an opened page."""
    page.evaluate(REDUCE, EVERY)
    page.evaluate(AXE_SCRIPT)
    return page.evaluate(FIND)


@pytest.mark.parametrize(("name", "setting"), chosen(), ids=str)
def test_axe_finds_no_barrier(site: str, windows, name: str, setting: tuple[int, str]):
    page = windows[setting]
    page.goto(f"{site}{name}.html")
    assert barriers(page) == []


def test_axe_finds_one_where_there_is_one(site: str, windows):
    page = windows[SETTINGS[0]]
    page.goto(f"{site}book/status.html")
    page.evaluate("""() => document.querySelector('.bd-article').insertAdjacentHTML('beforeend',
        '<p style="color: #ddd; background: #fff">hardly to be read</p><img src="x.png">')""")
    found = barriers(page)
    assert len(found) == 2
    assert found[0].startswith("serious: color-contrast")
    assert found[1].startswith("critical: image-alt")


def test_commits_take_turns_through_all_settings(monkeypatch):
    seen = set()
    for turn in range(PARTS * len(SETTINGS)):
        monkeypatch.setitem(chosen.__globals__, "commit", lambda turn=turn: turn)
        seen |= set(chosen())
    assert seen == set(product(PAGES, SETTINGS))
