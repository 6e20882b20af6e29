"""The explorer of the atlas in chapter 13, in a browser, against the cells that it shows."""

import pytest
from book_pages import DESK, PHONE
from playwright.sync_api import expect

from experiments.reading.cells import cells
from specmup.runs.results import load
from specmup.theory.update import update_law

PAGE = "chapters/13-the-atlas.html"
AWAY = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def found():
    frame = load("atlas").frame
    chosen = frame[(frame.variant == "standard") & frame.optimizer.isin(["soap", "adamw"])]
    return cells(chosen)


@pytest.fixture
def page(browser, site):
    opened = browser.new_page(viewport={"width": PHONE, "height": 900})
    opened.goto(site + PAGE)
    opened.wait_for_selector(".atlas table")
    yield opened
    opened.close()


@pytest.mark.parametrize("optimizer", ["adamw", "soap"])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("quantity", ["update", "change"])
def test_its_cells_are_those_of_the_stored_runs(page, found, optimizer, k, quantity):
    told = page.evaluate(
        "([optimizer, k, size]) => document.querySelector('.atlas').cellsOf(optimizer, k, size)",
        [update_law(optimizer).title, k, quantity],
    )
    key = (optimizer, k, quantity)
    own = [c for c in found if (c.optimizer, c.block_depth, c.quantity) == key]
    assert len(told) == len(own) == 10
    for shown, cell in zip(told, own, strict=True):
        assert (shown["role"], shown["axis"]) == (cell.role.replace("_", " "), cell.axis)
        assert shown["verdict"] == cell.verdict.answer
        assert shown["predicted"] == cell.predicted
        assert shown["estimate"] == pytest.approx(cell.measured.estimate, abs=6e-4)
        assert shown["low"] == pytest.approx(cell.measured.low, abs=6e-4)


def test_a_choice_is_drawn_and_said(page):
    page.locator(".atlas select[name=optimizer]").select_option("SOAP")
    page.locator(".atlas select[name=maps]").select_option("2")
    expect(page.locator(".atlas p")).to_contain_text("SOAP, k = 2, the update: 6 of 10")
    assert "6 of 10" in page.locator(".atlas svg").get_attribute("aria-label")
    row = page.locator(".atlas tbody tr").nth(2).locator("td").all_inner_texts()
    assert row[:3] == ["hidden", "width", "disagrees"]
    assert page.locator(".atlas path.atlas-disagrees").count() == 1
    filled = "getComputedStyle(document.querySelector('.atlas-agrees')).fill"
    assert page.evaluate(filled) != "none"


def test_it_is_used_by_keyboard(page):
    page.locator(".atlas select[name=size]").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".atlas p")).to_contain_text("the change:")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_fits_the_window(page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate(AWAY) <= 0
    box = page.locator(".atlas svg").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_without_scripts_its_place_says_so(browser, site):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(site + PAGE)
    expect(still.locator(".atlas p")).to_contain_text("shows the cells")
    context.close()
