"""The printed book: in order, numbered, and its links lead inside it."""

import pytest
from make_pdf import make
from pypdf import PdfReader

PAGE = """<!doctype html><meta charset="utf-8"><article><h1><span>{number}</span>{title}<a
class="headerlink" href="#{name}">#</a></h1><p>Text of {name}.</p>{more}</article>"""
FAR = '<div style="height: 1500px"></div><p id="far">Far below.</p>'
TOC = """root: book/intro
parts:
  - caption: Part I
    chapters:
      - file: chapters/one
      - file: chapters/two
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("a book of one's own")
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text("title: On & about")
    pages = {
        "book/intro": ("", "Start", '<a href="../chapters/two.html#far">there</a>'),
        "chapters/one": ("1. ", "One", '<a href="two.html">two</a> <a href="data.csv">data</a>'),
        "chapters/two": ("2. ", "Two", f'<details>Folded.</details>{FAR}<a href="#far">up</a>'),
    }
    for name, (number, title, more) in pages.items():
        path = root / "_build" / "html" / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(number=number, title=title, name=name, more=more))
    return root


@pytest.fixture(scope="module")
def book(root, browser):
    return PdfReader(make(root, browser))


def texts(book):
    return [" ".join(sheet.extract_text().split()) for sheet in book.pages]


def leads_to(book, sheet):
    """The sheets to which links on a sheet lead, counted from one."""
    notes = [note.get_object() for note in book.pages[sheet - 1].get("/Annots", ())]
    ends = [note["/Dest"][0] for note in notes if "/Dest" in note]
    return [book.get_page_number(end.get_object()) + 1 for end in ends]


def test_pages_follow_a_title_and_contents_in_order_and_numbered(book):
    title, contents, start, one, two, far = texts(book)
    assert title.startswith("On & about")
    assert contents == "Start 3 Part I 1. One 4 2. Two 5 2"
    assert start.startswith("Start") and start.endswith(" 3")
    assert one.startswith("1. One") and one.endswith(" 4")
    assert two.startswith("2. Two") and "Folded." in two and two.endswith(" 5")
    assert "Far below." in far and far.endswith(" 6")


def test_links_lead_inside_the_file_and_to_no_file_of_the_builder(book):
    assert leads_to(book, 2) == [3, 4, 5]
    assert leads_to(book, 3) == [6]
    assert leads_to(book, 4) == [5]
    assert leads_to(book, 6) == [6]
    assert b"file:" not in book.stream.getvalue()


def test_the_outline_has_the_parts_and_their_pages(book):
    start, part, chapters = book.outline
    assert (start.title, part.title) == ("Start", "Part I")
    assert [one.title for one in chapters] == ["1. One", "2. Two"]
    assert [book.get_destination_page_number(one) for one in chapters] == [3, 4]


def test_a_book_that_is_not_built_is_asked_for(tmp_path, browser):
    (tmp_path / "_toc.yml").write_text(TOC)
    with pytest.raises(FileNotFoundError, match=r"intro\.html: run `make book` first"):
        make(tmp_path, browser)
