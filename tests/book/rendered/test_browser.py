"""The built pages in a browser that reaches nothing but the book."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from book_pages import DESK, PHONE, documents
from browsers import wait_until_shown
from formula_signs import characters
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as Late


@dataclass
class Visit:
    """An opened page with what it asked of other hosts and what it complained of."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Open a page and wait until its formulas are set."""
        self.page.goto(address)
        wait_until_shown(self.page)

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def visit(browser: Browser, request) -> Iterator[Visit]:
    """A fresh window; indirect parameters are its width and its colour scheme."""
    width, scheme = getattr(request, "param", (DESK, "light"))
    context = browser.new_context(
        viewport={"width": width, "height": 850}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(120_000)  # milliseconds: a page may wait for a busy processor
    visit = Visit(context.new_page())

    def only_the_book(route):
        address = route.request.url
        if address.startswith(("http://127.0.0.1", "file:", "data:")):
            route.continue_()
        else:
            visit.foreign.append(address)
            route.abort()

    def note(message):
        if message.type == "error":
            visit.errors.append(message.text)

    context.route("**/*", only_the_book)
    visit.page.on("console", note)
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
    yield visit
    context.close()


@pytest.mark.parametrize("visit", [(PHONE, "light")], indirect=True, ids=str)
def test_all_claims_unfolded_can_be_read_on_a_phone(site: str, visit: Visit):
    visit.open(f"{site}book/claims.html")
    folds = visit.page.locator("details.claims")
    assert folds.count() > 10
    assert visit.page.locator("details.claims li").first.is_hidden()
    folds.evaluate_all("folds => folds.forEach(fold => fold.open = true)")
    assert visit.page.locator("details.claims li").last.is_visible()
    assert visit.overflow() <= 0
    wide = "items => items.filter(item => item.scrollWidth > item.clientWidth).length"
    assert visit.page.locator("details.claims li").evaluate_all(wide) == 0


LIGHTNESS = """selector => {
    const style = getComputedStyle(document.querySelector(selector));
    const [r, g, b] = style[selector === 'body' ? 'backgroundColor' : 'color'].match(/[\\d.]+/g);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""

SPOILED_FIGURES = """() => [...document.querySelectorAll('.bd-article img')].filter(image => {
    const style = getComputedStyle(image);
    const clear = ['rgba(0, 0, 0, 0)', 'transparent'].includes(style.backgroundColor);
    const filter = image.src.endsWith('.svg') ? 'brightness(1.2)' : 'none';
    return !clear || style.filter !== filter || image.naturalWidth === 0;
}).map(image => image.src)"""

# Figures that scroll, or whose letters, 14 pixels high as drawn, are small.
CUT_FIGURES = """() => [...document.querySelectorAll('.bd-article picture img')]
    .filter(image => image.checkVisibility()).filter(image => {
        const share = image.getBoundingClientRect().width / image.naturalWidth;
        const right = image.getBoundingClientRect().right;
        return share < 0.75 || right > document.documentElement.clientWidth;
    }).map(image => image.currentSrc)"""


SILENT_FORMULAS = """() => [...document.querySelectorAll('math')].filter(formula =>
    formula.tabIndex >= 0 || !formula.textContent.trim()).length"""

TEX = """() => {
    const words = document.querySelector('.bd-article').cloneNode(true);
    words.querySelectorAll('pre, code, script').forEach(one => one.remove());
    return /\\\\[([]|[$]/.test(words.textContent);
}"""

FOREIGN_SIGNS = """known => [...new Set(
    [...document.querySelectorAll('math')].flatMap(formula => [...formula.textContent])
)].filter(sign => sign.trim() && !known.includes(sign))"""


UNFOLD = """() => {
    document.querySelectorAll('details').forEach(fold => { fold.open = true; });
    document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; });
}"""

FONT_SIGNS = """() => [...document.querySelectorAll('body *')].flatMap(one =>
    ['::before', '::after'].map(side => getComputedStyle(one, side))
        .filter(style => style.display !== 'none' && /[\\uE000-\\uF8FF]/.test(style.content))
).length"""

CUT_FORMULAS = """() => [...document.querySelectorAll('.bd-article math:not([display])')]
    .filter(formula => !formula.closest('table') && formula.checkVisibility()
        && formula.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map(formula => formula.textContent)"""

# Until then a resized page has the places that it had.
NEXT_FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

WIDE_TABLES = """() => [...document.querySelectorAll('.pst-scrollable-table-container')]
    .filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => box.querySelector('table').innerText.slice(0, 60))"""

CUT_CODE = """() => [...document.querySelectorAll('div.highlight pre')]
    .filter(code => !code.closest('.source-lines, .cell_output'))
    .filter(code => code.checkVisibility() && code.scrollWidth > code.clientWidth).length"""


@pytest.mark.parametrize("visit", [(PHONE, "light")], indirect=True, ids=str)
@pytest.mark.parametrize("name", documents())
def test_a_page(site: str, visit: Visit, name: str):
    """One visit: on a phone, at a desk, in the dark."""
    visit.open(f"{site}{name}.html")
    page, faults = visit.page, []
    page.evaluate(UNFOLD)
    wait_until_shown(page)
    if silent := page.evaluate(SILENT_FORMULAS):
        faults.append(f"formulas that a screen reader cannot say, or tab stops: {silent}")
    if signs := page.evaluate(FOREIGN_SIGNS, sorted(characters())):
        faults.append(f"signs of formulas that their font has not: {signs}")
    if cut := page.evaluate(CUT_FORMULAS):
        faults.append(f"formulas in a line that a phone cuts off: {cut}")
    if cut := page.evaluate(CUT_FIGURES):
        faults.append(f"figures that a phone cuts off, or sets small: {cut}")
    if signs := page.evaluate(FONT_SIGNS):
        faults.append(f"signs of a font that no page loads: {signs}")
    if page.evaluate(TEX):
        faults.append("a formula is not set")
    if (wider := visit.overflow()) > 0:
        faults.append(f"{wider} pixels wider than a phone")
    page.set_viewport_size({"width": DESK, "height": 850})
    page.evaluate(NEXT_FRAME)
    if (wider := visit.overflow()) > 0:
        faults.append(f"{wider} pixels wider than a desktop window")
    if wide := page.evaluate(WIDE_TABLES):
        faults.append(f"tables that scroll in a desktop window: {wide}")
    if cut := page.evaluate(CUT_CODE):
        faults.append(f"listings of which something is cut off: {cut}")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    if page.evaluate(LIGHTNESS, "body") >= 0.15 or page.evaluate(LIGHTNESS, ".bd-article p") <= 0.6:
        faults.append("not dark in the dark")
    with suppress(Late):  # a figure of another width may still be on its way
        page.wait_for_function(f"!({SPOILED_FIGURES})().length", timeout=20_000)
    if spoiled := page.evaluate(SPOILED_FIGURES):
        faults.append(f"figures on a ground, or not brightened: {spoiled}")
    assert [*faults, *visit.foreign, *visit.errors] == []


def test_the_book_reads_from_disk_without_a_server(html: Path, visit: Visit):
    visit.open((html / "index.html").as_uri())
    visit.page.wait_for_url("**/intro.html")
    visit.page.wait_for_selector("math")
    assert visit.foreign == []


def test_the_checks_notice_a_bad_page(site: str, visit: Visit, html: Path):
    """A foreign script, an error, a wide table and a wrong formula are all found."""
    visit.open(f"{site}book/notation.html")
    visit.page.evaluate(
        """async () => {
            document.body.insertAdjacentHTML('beforeend', '<div style="width:3000px">wide</div>');
            const script = document.createElement('script');
            script.src = 'https://elsewhere.example/x.js';
            document.body.append(script);
            const wrong = '<p>$L$</p><math><mi>№</mi></math><math></math>';
            document.querySelector('.bd-article').insertAdjacentHTML('beforeend', wrong);
        }"""
    )
    visit.page.wait_for_timeout(200)
    assert visit.overflow() > 0
    assert visit.foreign == ["https://elsewhere.example/x.js"]
    assert visit.errors
    assert visit.page.evaluate(SILENT_FORMULAS) == 1
    assert visit.page.evaluate(TEX)
    assert visit.page.evaluate(FOREIGN_SIGNS, sorted(characters())) == ["№"]
