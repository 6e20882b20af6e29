"""A chapter's main text is short: what proves it stands in its fold, its exercises at its end."""

import re

import pytest
from book_pages import documents
from bs4 import BeautifulSoup

WORDS = 2200
PRACTICE = 900
CHAPTERS = [name for name in documents() if name.startswith("chapters/")]
# What is no running text: folds and code, what cells print, tables, formulas, scripts.
LEFT_OUT = "details, pre, table, math, svg, script, style, noscript, .cell_input, .headerlink"


def main_text(page: str) -> str:
    """The words of a page up to its exercises: text, boxes, statements and captions."""
    article = BeautifulSoup(page, "html.parser").select_one("article")
    for output in article.select(".cell_output"):
        if output.find("figcaption") is None:
            output.decompose()
    for part in article.select(LEFT_OUT):
        if not part.decomposed:
            part.decompose()
    for title in article.select("h2"):
        if re.search("Exercises", title.get_text()):
            title.find_parent("section").decompose()
    return article.get_text(" ")


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_tells_its_story_in_few_words(html, name: str):
    words = re.findall(r"\S*\w\S*", main_text((html / f"{name}.html").read_text()))
    print(f"{name:50} {len(words)} words")
    assert 1000 < len(words) <= WORDS


def test_the_page_for_practitioners_is_short(html):
    words = re.findall(r"\S*\w\S*", main_text((html / "book/practice.html").read_text()))
    assert 500 < len(words) <= PRACTICE


def test_what_is_left_out_is_not_counted():
    page = """<article><section><h2>A</h2><p>One <math><mi>x</mi></math> two.</p>
    <details><p>three</p></details><div class="cell_output"><pre>four</pre></div>
    <div class="cell_output"><figure><figcaption>Five</figcaption></figure></div></section>
    <section><h2>1.2. Exercises</h2><p>six</p></section></article>"""
    assert re.findall(r"\w+", main_text(page)) == ["A", "One", "two", "Five"]
