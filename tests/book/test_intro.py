"""The first page leads everywhere and says what the book is about."""

import re
from pathlib import Path

import pytest
import yaml
from book_pages import documents

ROOT = Path(__file__).resolve().parents[2]
INTRO = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
CHAPTERS = [name for name in documents() if name.startswith("chapters/")]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_its_sentence(chapter):
    entry = re.search(rf"^- \{{doc\}}`\.\./{chapter}`: (.+?)\.$", INTRO, re.MULTILINE | re.DOTALL)
    assert entry and len(entry[1].split()) >= 4


def test_chapters_are_in_the_books_order():
    listed = re.findall(r"^- \{doc\}`\.\./(chapters/[^`]+)`:", INTRO, re.MULTILINE)
    assert listed == CHAPTERS


@pytest.mark.parametrize("way", ["Use it", "Understand it", "Check it"])
def test_there_are_three_ways_in_each_with_somewhere_to_go(way):
    card = INTRO.split(f"{{grid-item-card}} {way}\n")[1].split(":::")[0]
    assert "{doc}`" in card


@pytest.mark.parametrize("page", ["practice", "rules", "audit", "faq", "claims", "status"])
def test_the_pages_that_answer_are_reached_from_it(page):
    assert f"{{doc}}`{page}`" in INTRO


def test_title_and_subtitle_name_what_people_search_for():
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    subtitle = INTRO.split("# When a network grows")[1][:200]
    for text in (title, subtitle):
        assert "μP" in text and "hyperparameter transfer" in text


def test_the_answer_comes_from_the_solver():
    above = INTRO.split("## The chapters")[0]
    assert "solved_layers(k)[role].rule(" in above and "{glue:md} answer" in above
