"""The figure of sums in chapter 4, in a browser, against the exact length."""

import numpy as np
import pytest
from book_pages import PHONE
from playwright.sync_api import expect

from experiments.reading.sums import mean_length

PAGE = "chapters/04-residual-networks-at-initialisation.html"


@pytest.fixture
def page(browser, site):
    opened = browser.new_page(viewport={"width": PHONE, "height": 900})
    opened.goto(site + PAGE)
    opened.wait_for_selector(".sums table")
    yield opened
    opened.close()


@pytest.mark.parametrize("count", [1, 7, 64])
@pytest.mark.parametrize("share", [0, 0.1, 1])
def test_its_lengths_are_those_of_the_theory(page, count: int, share: float):
    told = page.evaluate(
        "([count, share]) => document.querySelector('.sums').lengths(count, share)", [count, share]
    )
    assert told["exact"] == pytest.approx(mean_length(count, share))
    assert told["drawn"] == pytest.approx(np.sqrt(np.mean(np.square(told["each"]))))
    assert told["drawn"] == pytest.approx(told["exact"], rel=0.25)
    if share == 1:
        assert told["each"] == pytest.approx([count] * len(told["each"]))


def test_it_is_used_by_keyboard_and_says_what_it_shows(page):
    share = page.locator(".sums input[name=share]")
    share.focus()
    page.keyboard.press("End")
    expect(page.locator(".sums output").last).to_have_text("1.00")
    assert "64.0 long" in page.locator(".sums svg").get_attribute("aria-label")
    rows = page.locator(".sums tbody td").all_inner_texts()
    assert rows == ["64.0", "64.0", "64.0", "8.0", "64.0"]
    page.keyboard.press("Home")
    path = page.locator(".sums .explorer-curve")
    before = path.get_attribute("d")
    page.locator(".sums-again").focus()
    page.keyboard.press("Enter")
    assert path.get_attribute("d") != before


def test_it_fits_a_phone(page):
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    box = page.locator(".sums svg").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE


def test_without_scripts_its_place_says_so(browser, site):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(site + PAGE)
    expect(still.locator(".sums p")).to_contain_text("adds as many vectors")
    context.close()
