"""What a page says of itself to search engines, and of which day it is."""

import subprocess
from datetime import date
from types import SimpleNamespace

from docutils import nodes
from page_facts import LONGEST, day_of, describe, description


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


def test_the_day_is_that_of_the_last_commit(tmp_path):
    assert day_of(tmp_path).endswith(f"{date.today():%Y}")
    told = {"GIT_COMMITTER_DATE": "2026-03-01T12:00:00+00:00", "GIT_CONFIG_GLOBAL": "/dev/null"}
    commit = "git init -q && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m a"
    subprocess.run(commit, shell=True, cwd=tmp_path, check=True, env=told | {"PATH": "/usr/bin"})
    assert day_of(tmp_path) == "1 March 2026"
