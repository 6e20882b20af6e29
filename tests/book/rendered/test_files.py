"""The built pages as files: whole, and in need of no other host."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from book_pages import ROOT, documents
from jupyter_cache import get_cache

LOADS = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src"}


class Resources(HTMLParser):
    """Collects what a browser fetches by itself to show a page."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.in_code = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.in_code = tag in ("script", "style")
        if tag == "link" and attributes.get("rel") not in ("next", "prev", "index", "search"):
            self.found.append(attributes["href"])
        if tag in LOADS and attributes.get(LOADS[tag]):
            self.found.append(attributes[LOADS[tag]])
        self.found += addresses(attributes.get("style") or "")

    def handle_endtag(self, tag):
        self.in_code = False

    def handle_data(self, data):
        if self.in_code:
            self.found += addresses(data)


def addresses(code: str) -> list[str]:
    """Absolute addresses in a script or a style sheet, but for names of XML languages."""
    return [a for a in re.findall(r"https?://[^\s\"'<>)]+", code) if "www.w3.org" not in a]


def is_foreign(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def pages(html: Path) -> list[Path]:
    return [p for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]


def test_every_listed_page_is_built(html: Path):
    missing = [name for name in documents() if not (html / f"{name}.html").exists()]
    assert missing == []


def test_letters_of_every_figure_are_text_in_a_font_that_it_holds(html: Path):
    address = re.compile(r"_images/(\w+(?:-narrow)?\.svg)")
    shown = {name for page in pages(html) for name in address.findall(page.read_text())}
    figures = {name: (html / "_images" / name).read_text() for name in shown}
    assert len(figures) > 100
    lacking = [n for n, svg in figures.items() if "<text" not in svg or "@font-face" not in svg]
    assert lacking == []


def test_every_chapter_is_listed():
    written = {f"chapters/{path.stem}" for path in (ROOT / "chapters").glob("*.md")}
    assert written - set(documents()) == set()


def test_pages_load_nothing_from_another_host(html: Path):
    foreign = {
        (page.name, address)
        for page in pages(html)
        for address in Resources(page.read_text()).found
        if is_foreign(address)
    }
    assert foreign == set()


def test_style_sheets_load_nothing_from_another_host(html: Path):
    foreign = {
        (sheet.name, target)
        for sheet in html.rglob("*.css")
        for target in re.findall(r"""(?:url\(|@import)\s*["']?([^"')]+)""", sheet.read_text())
        if is_foreign(target)
    }
    assert foreign == set()


def test_what_pages_load_is_there(html: Path):
    missing = {
        (page.name, address)
        for page in pages(html)
        for address in Resources(page.read_text()).found
        if not is_foreign(address) and not address.startswith("data:")
        if not (page.parent / unquote(urlsplit(address).path)).exists()
    }
    assert missing == set()


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img src="http://pictures.example/x.png">',
        '<script>const url = "https://cdn.example/x.js"</script>',
        '<p style="background: url(https://pictures.example/x.png)">',
    ],
)
def test_the_search_for_foreign_hosts_can_find_one(page: str):
    assert any(map(is_foreign, Resources(page).found))


def test_formulas_load_a_font_and_no_script(html: Path):
    assert (html / "_static" / "formulas.woff").stat().st_size < 45_000
    assert [
        page.name
        for page in pages(html)
        if re.search("<script[^>]*mathjax", page.read_text(), re.I)
    ] == []


@pytest.mark.parametrize("chapter", sorted((ROOT / "chapters").glob("*.md")), ids=lambda p: p.stem)
def test_a_chapter_offers_its_notebook(html: Path, chapter: Path):
    link = f"_sources/chapters/{chapter.stem}.ipynb"
    assert link in (html / "chapters" / f"{chapter.stem}.html").read_text()
    assert (html / link).read_bytes() == chapter.with_suffix(".ipynb").read_bytes()


def test_no_output_is_an_error_or_a_progress_bar(html: Path):
    spoiled = {
        (page.name, sign)
        for page in pages(html)
        for sign in ("Traceback (most recent call last)", "it/s]", "s/it]")
        if sign in page.read_text()
    }
    assert spoiled == set()


def test_no_page_was_executed_by_the_builder(html: Path):
    """All were beforehand, side by side: it looked for each page's cells and found them."""
    executed = html.parent / "executed"
    (kept,) = (path for path in executed.iterdir() if path.is_dir())
    cache = get_cache(kept)
    assert len(cache.list_cache_records()) >= len(list((html / "chapters").glob("*.html")))
    assert cache.list_project_records() == []  # where it notes what it sets out to execute
