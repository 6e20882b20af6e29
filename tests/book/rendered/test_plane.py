"""The plane of exponents in chapter 8, in a browser: a point is chosen, its demands are shown."""

import pytest
from book_pages import DESK, PHONE
from playwright.sync_api import expect

from experiments.reading.phases import SIZES, DepthExponents
from experiments.reading.plane import answer
from specmup.runs.results import load

PAGE = "chapters/08-phases-and-diversity.html"


@pytest.fixture
def page(browser, site):
    opened = browser.new_page(viewport={"width": PHONE, "height": 900})
    opened.goto(site + PAGE)
    opened.wait_for_selector(".plane table")
    yield opened
    opened.close()


def chosen(page) -> str:
    return page.locator(".plane svg").get_attribute("aria-label")


def demands(page) -> list[str]:
    return page.locator(".plane tbody tr td:nth-child(2)").all_inner_texts()


def test_it_opens_where_every_demand_holds(page):
    assert chosen(page).endswith("Chosen: a = 1/2, γ = 1/2, Depth-μP.")
    assert demands(page) == ["holds"] * 4


def test_the_keyboard_moves_the_point_and_what_is_said_is_measured(page):
    page.locator(".plane input[name=a]").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator(".plane input[name=gamma]").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert chosen(page).endswith("Chosen: a = 5/4, γ = −1/4, unfaithful.")
    frame = load("phase-diagram").frame
    exponents = DepthExponents.of(frame.query("alpha == 1.25 and gamma == -0.25"))
    answers = [answer(name, getattr(exponents, name)) for name in SIZES[:3]]
    assert demands(page) == [*answers, "not asked"] == ["holds", "holds", "grows", "not asked"]


def test_a_click_on_a_cell_chooses_its_point(page):
    page.locator(".plane .plane-cell").first.click()
    assert chosen(page).endswith("Chosen: a = 1/4, γ = −1/2, unstable at the start.")
    expect(page.locator(".plane input[name=a]")).to_have_value("0")
    expect(page.locator(".plane output").last).to_have_text("−1/2")
    assert demands(page) == ["grows", "not asked", "not asked", "not asked"]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_fits_the_window(page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    box = page.locator(".plane svg").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_without_scripts_its_place_says_so(browser, site):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(site + PAGE)
    expect(still.locator(".plane p")).to_contain_text("the point you choose")
    context.close()
