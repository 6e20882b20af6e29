"""Print the built book as one PDF: ``_build/specmup.pdf``, by a browser, page by page.

Each built page is printed once its formulas are set, with its folded sections open. The prints are
put together behind a title and a list of contents, numbered, and what led from page to page leads
inside the file.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from html import escape, unescape
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import yaml
from browsers import running_browser, wait_until_shown
from playwright.sync_api import Browser, Page
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)

ROOT = Path(__file__).resolve().parent.parent
MARGIN = "18mm"
SHEET = {"format": "A4", "margin": dict.fromkeys(("top", "right", "bottom", "left"), MARGIN)}
# In the browser: unfold what is folded, but not code, and point once to every place that other
# pages point to. A place to which nothing in its own print points would be no destination there.
PREPARE = """places => {
    document.querySelectorAll("details:not(.hide)").forEach(one => { one.open = true; });
    document.querySelectorAll("img[loading]").forEach(one => { one.loading = "eager"; });
    for (const place of places) {
        if (!document.getElementById(place)) continue;
        const link = document.createElement("a");
        link.href = "#" + place;
        link.textContent = ".";
        link.style.cssText = "position: absolute; top: 0; color: transparent; font-size: 1px";
        document.querySelector("article").append(link);
    }
}"""
LINK = re.compile(r'<a\b[^>]*\bhref="([^"]+)"')
TITLE = "() => document.querySelector('article h1').innerText.replace('#', '')"
FRONT = """<!doctype html><html lang="en-GB"><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 11pt/1.5 sans-serif; }} h1 {{ margin-top: 35%; font-size: 26pt; line-height: 1.2; }}
.about {{ break-after: page; }} h2 {{ margin: 1em 0 0.2em; font-size: 11pt; }}
p {{ margin: 0; display: flex; }} a {{ flex: 1; color: inherit; text-decoration: none; }}
</style><h1>{title}</h1><div class="about">{about}</div><main>{contents}</main>"""

NUMBERS = """<style>@page {{ margin: 0 }} body {{ margin: 0; font: 8pt sans-serif }} p {{
height: 297mm; padding-top: 284mm; box-sizing: border-box; margin: 0; text-align: center;
break-after: page }} p:last-child {{ break-after: auto }}</style>{}"""


@dataclass(frozen=True)
class Printed:
    """One page of the book, printed.

    Attributes:
        path: The page's file.
        title: Its title.
        sheets: Its print.
    """

    path: Path
    title: str
    sheets: PdfReader


Book = list[tuple[str, list[Printed]]]  # the printed pages of each part
Place = tuple[int, float | None]  # a sheet, and a height on it
Places = dict[tuple[Path, str], Place]


def parts(root: Path) -> list[tuple[str, list[Path]]]:
    """The parts of the book in the order of ``_toc.yml``, each with the files of its pages."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    named = [(part["caption"], [one["file"] for one in part["chapters"]]) for part in toc["parts"]]
    built = root / "_build" / "html"
    return [
        (caption, [built / f"{name}.html" for name in names])
        for caption, names in [("", [toc["root"]]), *named]
    ]


def printed(tab: Page, files: list[Path]) -> Iterator[Printed]:
    """Print the pages, each after its formulas are set.

    Raises:
        playwright.sync_api.Error: If a page is not there, or not ready within ten minutes.
    """
    wanted: dict[Path, set[str]] = defaultdict(set)
    for path in files:
        for link in LINK.findall(path.read_text(encoding="utf-8")):
            target, place = target_of(urljoin(path.as_uri(), unescape(link)))
            wanted[target].add(place)
    for path in files:
        tab.goto(path.as_uri())
        tab.evaluate(PREPARE, sorted(wanted[path] - {""}))
        wait_until_shown(tab)
        sheets = PdfReader(BytesIO(tab.pdf(**SHEET, outline=True, tagged=True)))
        print(f"{len(sheets.pages):4} sheets: {path.relative_to(path.parents[1])}", flush=True)
        yield Printed(path, str(tab.evaluate(TITLE)).strip(), sheets)


def target_of(address: str) -> tuple[Path, str]:
    """The file and the place in it to which an address leads; of another host a path to nothing."""
    url = urlsplit(address)
    path = unquote(url.path) if url.scheme == "file" else ""
    return Path(path), unquote(url.fragment)


def contents(book: Book, first: int) -> str:
    """The list of contents as HTML, when the book's first page stands on sheet ``first``."""
    lines = []
    for caption, pages in book:
        lines += [f"<h2>{escape(caption)}</h2>"] if caption else []
        for page in pages:
            link = f'<a href="{page.path.as_uri()}">{escape(page.title)}</a>'
            lines.append(f"<p>{link}<span>{first}</span></p>")
            first += len(page.sheets.pages)
    return "".join(lines)


def front(tab: Page, book: Book, title: str, about: str) -> PdfReader:
    """Title and contents, printed; twice, since only a print tells how long the contents are."""
    sheets = 0
    while True:
        listed = contents(book, sheets + 1)
        tab.set_content(FRONT.format(title=escape(title), about=about, contents=listed))
        reader = PdfReader(BytesIO(tab.pdf(**SHEET, tagged=True)))
        if len(reader.pages) == sheets:
            return reader
        sheets = len(reader.pages)


def bound(opening: PdfReader, book: Book) -> PdfWriter:
    """All prints in one file, with an outline, and with links that lead inside it."""
    writer, places = PdfWriter(), {}
    writer.append(opening, import_outline=False)
    for caption, pages in book:
        above = None
        for page in pages:
            start = len(writer.pages)
            name_all_places(page)
            writer.append(page.sheets, import_outline=False)
            if caption and above is None:
                above = writer.add_outline_item(title=caption, page_number=start)
            writer.add_outline_item(title=page.title, page_number=start, parent=above)
            places.update(found_places(page, start))
    for sheet in writer.pages:
        for link in links_of(sheet):
            lead_inside(link, writer, places)
    return writer


def found_places(page: Printed, start: int) -> Iterator[tuple[tuple[Path, str], Place]]:
    """The places of a page whose first sheet is number ``start``: sheet, and height on it."""
    yield (page.path, ""), (start, None)
    for name, found in page.sheets.named_destinations.items():
        sheet = page.sheets.get_destination_page_number(found) or 0
        yield (page.path, unquote(name.removeprefix("/"))), (start + sheet, found.get("/Top"))


def links_of(sheet: PageObject) -> Iterator[DictionaryObject]:
    """The links on a sheet."""
    notes = (note.get_object() for note in sheet.get("/Annots", ()))
    return (note for note in notes if note["/Subtype"] == "/Link")


def name_all_places(page: Printed) -> None:
    """Give links inside a page full addresses: in the whole file its names are not alone."""
    for sheet in page.sheets.pages:
        for link in links_of(sheet):
            if isinstance(link.get("/Dest"), str):
                address = f"{page.path.as_uri()}#{quote(link.pop('/Dest').removeprefix('/'))}"
                action = {NameObject("/S"): NameObject("/URI")}
                action[NameObject("/URI")] = TextStringObject(address)
                link[NameObject("/A")] = DictionaryObject(action)


def lead_inside(link: DictionaryObject, writer: PdfWriter, places: Places) -> None:
    """Make a link to a file lead to its place in this one, or nowhere, where it is not in it."""
    address = link.get("/A", {}).get("/URI", "")
    if not address.startswith("file:"):
        return
    del link["/A"]
    path, place = target_of(address)
    if (path, "") in places:
        sheet, top = places.get((path, place), places[path, ""])
        height = NullObject() if top is None else FloatObject(top)
        where = [NameObject("/XYZ"), NullObject(), height, NullObject()]
        reference = writer.pages[sheet].indirect_reference
        link[NameObject("/Dest")] = ArrayObject([reference, *where])


def number(tab: Page, writer: PdfWriter) -> None:
    """Write its number below each sheet but the first, and pack the sheets."""
    count = len(writer.pages)
    tab.set_content(NUMBERS.format("".join(f"<p>{sheet}" for sheet in range(2, count + 1))))
    prints = PdfReader(BytesIO(tab.pdf(format="A4")))
    for sheet, print_ in zip(writer.pages[1:], prints.pages, strict=True):
        sheet.merge_page(print_)
    for sheet in writer.pages:
        sheet.compress_content_streams()


def make(root: Path, browser: Browser) -> Path:
    """Print the built book of a folder by a browser; return the file.

    Raises:
        FileNotFoundError: If the book has not been built.
    """
    files = parts(root)
    if missing := [path for _, paths in files for path in paths if not path.exists()]:
        raise FileNotFoundError(f"there is no {missing[0]}: run `make book` first")
    title = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["title"]
    about = f"specmup {version('specmup')}, {date.today():%-d %B %Y}"
    tab = browser.new_page(color_scheme="light", reduced_motion="reduce")
    tab.set_default_timeout(600_000)  # milliseconds
    tab.emulate_media(media="print")
    sheets = printed(tab, [path for _, paths in files for path in paths])
    book = [(caption, [next(sheets) for _ in paths]) for caption, paths in files]
    writer = bound(front(tab, book, title, about), book)
    number(tab, writer)
    tab.close()
    writer.add_metadata({"/Title": title, "/Subject": about})
    writer.compress_identical_objects()
    path = root / "_build" / "specmup.pdf"
    with path.open("wb") as file:
        writer.write(file)
    return path


if __name__ == "__main__":
    try:
        with running_browser() as running:
            made = make(ROOT, running)
    except FileNotFoundError as missing:
        sys.exit(str(missing))
    print(f"{made}, {made.stat().st_size / 1e6:.0f} MB")
