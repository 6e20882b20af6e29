"""A section named Evidence is folded whole, and nothing else is."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from one_page import built

PAGE = """\
# A chapter

The story, with a [link](inside).

## {title}

Above all parts.

<p class="claim">held: one</p>

(inside)=
### A part

Deep in it.

<p class="claim">held: two</p>

## Exercises

After it.
"""


class Around(HTMLParser):
    """The elements around each text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.around: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("section", "details", "summary"):
            self.open.append(tag)
            if tag == "details":
                assert "open" not in dict(attrs)

    def handle_endtag(self, tag):
        if tag in ("section", "details", "summary"):
            assert self.open.pop() == tag  # nothing is closed across another

    def handle_data(self, data):
        self.around[data.strip()] = list(self.open)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    html, complaints = built(
        tmp_path_factory.mktemp("book"), "evidence_fold", PAGE.format(title="Evidence")
    )
    assert complaints == ""
    return html


@pytest.mark.parametrize("text", ["Above all parts.", "A part", "Deep in it.", "held: two"])
def test_all_of_the_section_is_in_the_fold(page: str, text: str):
    assert "details" in Around(page).around[text]


@pytest.mark.parametrize("text", ["Evidence", "Exercises", "After it."])
def test_its_title_and_what_follows_are_not(page: str, text: str):
    assert "details" not in Around(page).around[text]


def test_it_says_how_many_claims_it_holds(page: str):
    (summary,) = (t for t, tags in Around(page).around.items() if "summary" in tags and t)
    assert "2 claims" in summary


def test_another_section_is_not_folded(tmp_path: Path):
    html, _ = built(tmp_path, "evidence_fold", PAGE.format(title="Evidences"))
    assert "<details" not in html
