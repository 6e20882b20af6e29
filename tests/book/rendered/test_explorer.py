"""The explorers of chapters 1 and 20 in a browser, against stored and published runs."""

import pytest

from experiments.digits_transfer import slice_along
from experiments.reading.published import published
from specmup.runs.results import load

PAGE = "chapters/01-learning-rate-moves.html"


@pytest.fixture(scope="module")
def page(browser, site):
    opened = browser.new_page(viewport={"width": 390, "height": 900})
    opened.goto(site + PAGE)
    opened.wait_for_selector(".explorer table")
    yield opened
    opened.close()


@pytest.mark.parametrize(("axis", "rule"), [("width", "sp"), ("depth", "k1"), ("depth", "k2")])
def test_its_answers_are_the_stored_means(page, axis, rule):
    runs = slice_along(load("digits-transfer").frame, axis, rule)
    told = page.evaluate(
        "([axis, rule]) => document.querySelector('.explorer').answers(axis, rule, -9)",
        [axis, rule],
    )
    assert [one["size"] for one in told] == sorted(runs[axis].unique())
    for one in told:
        means = runs[runs[axis] == one["size"]].groupby("log2_lr")["loss"].mean()
        assert one["best"] == means.idxmin()
        assert one["lowest"] == pytest.approx(means.min(), rel=1e-3)
        assert one["carried"] == pytest.approx(means[-9], rel=1e-3)
        assert one["cost"] == pytest.approx(means[-9] - means.min(), rel=2e-3, abs=1e-3)


def test_choices_are_drawn_and_said(page):
    rows = ".explorer tbody tr"
    page.locator(".explorer select[name=rule]").select_option("sp")
    page.locator(".explorer select[name=axis]").select_option("width")
    page.locator(".explorer input[type=range]").fill("-8")
    widest = page.locator(rows).last.inner_text()
    assert widest.split()[0] == "512" and "2⁻¹²" in widest
    assert "At width 512 your rate ends at" in page.locator(".explorer svg").get_attribute(
        "aria-label"
    )
    page.locator(".explorer select[name=rule]").select_option("k2")
    assert "2⁻⁹" in page.locator(rows).last.inner_text()  # the rate that did not move
    assert page.locator(".explorer .explorer-curve").count() == 5


def test_the_rule_stays_where_the_new_axis_has_it_and_else_is_the_first(page):
    rule, axis = (page.locator(f".explorer select[name={name}]") for name in ("rule", "axis"))
    axis.select_option("depth")
    rule.select_option("k1")
    axis.select_option("width")
    assert rule.input_value() == "sp"


def test_only_pages_with_one_load_its_script(page, site, browser):
    assert page.locator("script[src*='explorer.js']").count() == 1
    other = browser.new_page()
    other.goto(site + "book/notation.html")
    assert other.locator("script[src*='explorer.js'], script[src*='calculator.js']").count() == 0
    other.close()


def test_the_published_record_begins_at_its_base_and_holds_its_losses(site, browser):
    opened = browser.new_page(viewport={"width": 390, "height": 900})
    opened.goto(site + "chapters/20-the-published-record.html")
    opened.wait_for_selector(".explorer table")
    record = published()
    rows = record[record.table == 36]  # Sophia over the width, SP
    at_base = rows[rows["size"] == 256]
    rate = float(at_base.log2_value[at_base.loss.idxmin()])
    told = opened.evaluate(
        "rate => document.querySelector('.explorer').answers('width', 'sp', rate, 'Sophia')", rate
    )
    assert [one["size"] for one in told] == sorted(rows["size"].unique())
    for one in told:
        losses = rows[rows["size"] == one["size"]].set_index("log2_value").loss
        assert one["best"] == losses.idxmin()
        assert one["carried"] == pytest.approx(losses[rate], rel=1e-3)
    opened.locator(".explorer select[name=kind]").select_option("Sophia")
    assert opened.locator(".explorer input[name=rate]").input_value() == f"{rate:g}"
    opened.locator(".explorer select[name=kind]").select_option("Muon-Kimi, no LayerNorm")
    axes = opened.locator(".explorer select[name=axis] option").all_inner_texts()
    assert axes == ["depth"], "what was not run is not offered"
    assert opened.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    opened.close()
