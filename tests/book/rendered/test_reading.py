"""What helps a reader on a page: previews of links, search, the way back from a wrong address."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from book_pages import DESK, PHONE, ROOT, documents
from browsers import wait_until_shown
from playwright.sync_api import Browser, Page, expect

import specmup

CHAPTER = "chapters/06-two-maps-and-more.html"
# A link of each kind, and words that it must show.
LINKS = {
    "term": ("[href$='#term-gauge']", r"multiplier"),
    "statement": ("[href='#def-two-maps']", r"Definition"),
    "equation": ("[href='#equation-eq-expansion']", r"."),
    "reference": ("[href*='references.html#']", r"\d{4}"),
}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": DESK, "height": 850}, reduced_motion="reduce")
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def test_links_show_what_they_lead_to_under_mouse_and_keyboard(site: str, page: Page):
    page.goto(site + CHAPTER)
    wait_until_shown(page)
    preview = page.locator(".preview")
    for kind, (link, words) in LINKS.items():
        anchor = page.locator(f".bd-article a.internal{link}").first
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        anchor.focus()
        expect(preview, kind).to_have_text(re.compile(words))
        assert anchor.get_attribute("aria-describedby") == preview.get_attribute("id")
        box = preview.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= DESK
        assert "\\(" not in preview.inner_text(), "formulas are set"
        page.keyboard.press("Escape")
        expect(preview).to_have_count(0)
        assert anchor.get_attribute("aria-describedby") is None
        anchor.hover()
        expect(preview, kind).to_be_visible()
        page.mouse.move(5, 5)
        expect(preview).to_have_count(0)


def test_a_preview_is_read_from_disk_fits_a_phone_and_is_not_printed(html: Path, page: Page):
    page.set_viewport_size({"width": PHONE, "height": 850})
    page.goto((html / CHAPTER).as_uri())
    page.locator(f".bd-article a.internal{LINKS['term'][0]}").first.focus()
    preview = page.locator(".preview")
    expect(preview).to_be_visible()
    box = preview.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE
    page.emulate_media(media="print")
    expect(preview).to_be_hidden()


@pytest.mark.parametrize("words", ["mup", "muP", "μP", "warmup"])
def test_search_finds_a_word_in_every_spelling_and_says_where_in_words(
    site: str, page: Page, words: str
):
    page.goto(f"{site}search.html?q={words}")
    results = page.locator("#search-results li")
    expect(page.locator("#search-results .search-summary")).to_contain_text("found", timeout=60_000)
    assert results.count() >= 3
    page.wait_for_function("document.querySelectorAll('#search-results p.context').length > 2")
    excerpts = page.locator("#search-results p.context").all_inner_texts()
    sought = "warm" if words == "warmup" else "μp"
    assert any(sought in excerpt.lower() for excerpt in excerpts)
    assert [text for text in excerpts if "\\" in text or "import " in text] == []


def test_a_large_fold_is_built_when_it_opens_and_for_printers(site: str, page: Page):
    page.goto(f"{site}book/rules.html")
    fold, other = page.locator("details.waits").first, page.locator("details.waits").last
    assert fold.locator("table").count() == 0
    fold.locator("summary").click()
    expect(fold.locator("td math").first).to_be_visible()
    assert other.locator("table").count() == 0
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert other.locator("table").count() == 1
    assert page.locator("noscript").count() == 0


def test_an_address_opens_a_fold_and_builds_one_that_waits(site: str, page: Page):
    page.goto(f"{site}book/rules.html#table-adamw-k2")
    fold = page.locator("#table-adamw-k2")
    expect(fold.locator("td math").first).to_be_visible()
    assert page.locator("details.waits[open]").count() == 1
    assert 0 <= fold.bounding_box()["y"] < 850
    page.evaluate("location.hash = 'table-sgd-k1'")
    expect(page.locator("#table-sgd-k1 td math").first).to_be_visible()
    page.goto(f"{site}{CHAPTER}#sec-evidence-gauges")
    place = page.locator("#sec-evidence-gauges")
    expect(place).to_be_in_viewport()
    assert page.locator("details.evidence").get_attribute("open") is not None


def test_without_scripts_a_large_fold_has_its_table(site: str, browser: Browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}book/rules.html")
    page.locator("details.waits summary").first.click()
    expect(page.locator("details.waits td math").first).to_be_visible()
    context.close()


class Missing(SimpleHTTPRequestHandler):
    """Answers a wrong address with the page that the book has for it, as hosts do."""

    def send_error(self, code, message=None, explain=None):
        told = (Path(self.directory) / "sub" / "404.html").read_bytes()
        self.send_response(code)
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *arguments):
        pass


def test_a_wrong_address_leads_back_to_the_book(html: Path, page: Page, tmp_path: Path):
    """Also where the book lies in a folder of its host, and the address in a folder of the book."""
    (tmp_path / "sub").symlink_to(html)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Missing, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    book = f"http://127.0.0.1:{server.server_port}/sub/"
    page.goto(f"{book}chapters/elsewhere/07-phases.html")
    expect(page.locator("#contents")).to_have_attribute("href", f"{book}index.html")
    page.locator("#contents").click()
    page.wait_for_url(f"{book}book/intro.html")
    server.shutdown()


@pytest.mark.parametrize("name", documents())
def test_a_page_says_what_it_is_about_and_of_which_version(html: Path, name: str):
    text = (html / f"{name}.html").read_text()
    (about,) = re.findall(r'<meta name="description" content="([^"]+)"', text)
    assert 40 <= len(about) <= 205
    assert "\\" not in about
    (foot,) = re.findall(r'<p class="book-footer">.*?</p>', text, flags=re.DOTALL)
    assert specmup.__version__ in foot
    assert re.search(r"\d{1,2} \w+ 20\d\d", foot)
    assert "cite.html" in foot or name == "book/cite"
    (image,) = re.findall(r'<meta property="og:image" content="([^"]+)"', text)
    assert (html / f"{name}.html").parent.joinpath(image).exists()


def test_the_icons_of_all_pages_are_drawn(html: Path):
    drawn = set(
        re.findall(r"\.(fa-[\w-]+) \{\s+--icon", (ROOT / "book/_static/icons.css").read_text())
    )
    shown = {
        name
        for page in html.rglob("*.html")
        for classes in re.findall(r'class="((?:fas|fa-solid) [^"]+)"', page.read_text())
        for name in classes.split()
    }
    assert shown - drawn - {"fas", "fa-solid", "fa-lg"} == set()
