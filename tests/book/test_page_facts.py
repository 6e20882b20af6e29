"""What a page says of itself to search engines, and of which day it is."""

import subprocess
from datetime import date
from types import SimpleNamespace

import pytest
from docutils import nodes
from page_facts import LONGEST, day_of, describe, description, name_version


def page(*paragraphs: nodes.Node) -> nodes.document:
    from docutils.utils import new_document

    document = new_document("page.md")
    document += paragraphs
    return document


def test_a_page_is_described_by_its_first_paragraph_in_plain_letters():
    note = nodes.note("", nodes.paragraph(text="In this chapter"))
    first = nodes.paragraph("", "Blocks start at ", nodes.math(text=r"1/\sqrt L"), nodes.Text("."))
    found = description(page(note, first, nodes.paragraph(text="More.")))
    assert found == "Blocks start at 1/√L."


def test_a_long_description_ends_after_a_word():
    found = description(page(nodes.paragraph(text="words " * 100)))
    assert found.endswith("words …")
    assert len(found) <= LONGEST + 2


def test_a_page_without_text_has_none():
    context: dict = {}
    describe(SimpleNamespace(), "search", "search.html", context, None)
    assert "description" not in context
    assert description(page()) == ""


@pytest.mark.parametrize(
    ("address", "image"),
    [
        ("", None),
        ("https://book.example/mup/", "https://book.example/mup/_static/preview.png"),
        ("https://book.example", "https://book.example/_static/preview.png"),
    ],
)
def test_the_image_has_a_whole_address_where_the_book_has_one(tmp_path, address, image):
    config = SimpleNamespace(html_context={}, html_baseurl=address)
    name_version(SimpleNamespace(srcdir=tmp_path), config)
    assert config.html_context.get("image") == image


def test_the_day_is_that_of_the_last_commit(tmp_path):
    assert day_of(tmp_path).endswith(f"{date.today():%Y}")
    told = {"GIT_COMMITTER_DATE": "2026-03-01T12:00:00+00:00", "GIT_CONFIG_GLOBAL": "/dev/null"}
    commit = "git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m a"
    subprocess.run(commit, shell=True, cwd=tmp_path, check=True, env=told | {"PATH": "/usr/bin"})
    assert day_of(tmp_path) == "1 March 2026"
