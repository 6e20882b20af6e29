"""What a reader's machine must load and build to show a page, as it opens.

The bounds are what holds, with a little room: half of the pages need at most the first number, each
at most the second. ``pytest -s`` prints what every page needs.
"""

from statistics import median

import pytest
from book_pages import documents
from browsers import wait_until_shown
from playwright.sync_api import Browser

KILOBYTES = (500, 700)
NODES = (3200, 8200)
RULES = 2800  # nodes of the page that has the most tables


@pytest.fixture(scope="module")
def weights(site: str, browser: Browser) -> dict[str, tuple[float, int]]:
    """The kilobytes that each page asks for as it opens, and its nodes."""
    found = {}
    for name in documents():
        context = browser.new_context(viewport={"width": 1280, "height": 850})
        page = context.new_page()
        page.set_default_timeout(120_000)
        sizes: dict[str, int] = {}
        page.on("response", lambda told, sizes=sizes: sizes.update({told.url: len(told.body())}))
        page.goto(f"{site}{name}.html")
        wait_until_shown(page)
        page.wait_for_load_state("networkidle")
        nodes = page.evaluate("document.querySelectorAll('*').length")
        found[name] = (sum(sizes.values()) / 1000, nodes)
        print(f"{name:50} {found[name][0]:6.0f} kB {nodes:6} nodes")
        context.close()
    return found


@pytest.mark.parametrize(("what", "bounds"), [(0, KILOBYTES), (1, NODES)], ids=["kB", "nodes"])
def test_pages_are_no_heavier_than_they_were(weights, what: int, bounds: tuple[int, int]):
    found = {name: weight[what] for name, weight in weights.items()}
    heaviest = max(found, key=found.__getitem__)
    print(f"median {median(found.values()):.0f}, largest {found[heaviest]:.0f} ({heaviest})")
    assert median(found.values()) <= bounds[0]
    assert found[heaviest] <= bounds[1], heaviest


def test_the_rules_page_builds_what_is_open_alone(weights):
    assert weights["book/rules"][1] <= RULES
