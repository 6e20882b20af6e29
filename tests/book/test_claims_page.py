"""The page that lists claims has all that the executed pages made, and no other."""

import re
from html import unescape

from build_book import build

CLAIM = """> from IPython.display import publish_display_data

said = {{"sentence": "It is <{word}>.", "value": "{value}", "criterion": "below 1"}}
said |= {{"name": "ch01-{word}", "source": "stored", "verdict": "held"}}
publish_display_data({{"text/plain": "said"}}, metadata={{"claim": said}})
"""


def rows(book) -> list[list[str]]:
    """The cells of the page's tables, row by row."""
    page = (book.root / "_build" / "html" / "book" / "claims.html").read_text()
    found = re.findall(r"<tr.*?</tr>", page, flags=re.DOTALL)
    cells = (re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row, flags=re.DOTALL) for row in found)
    return [[unescape(re.sub("<.*?>", "", cell)).strip() for cell in row] for row in cells]


def test_every_claim_is_listed_and_a_changed_one_anew(small_book, capfd):
    small_book.add_page("book/claims", "# Claims", "```{claims-table}\n```")
    small_book.add_page("chapters/01-one", "# One", CLAIM.format(word="slow", value=0.5))
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    assert build(small_book.root) == 0, capfd.readouterr().out
    assert rows(small_book) == [
        ["rests on", "held"],
        ["stored", "1"],
        ["all", "1"],
        ["claim", "value", "must be", "rests on", "verdict"],
        ["It is <slow>.", "0.5", "below 1", "stored", "held"],
    ]
    small_book.add_page("chapters/01-one", "# One", CLAIM.format(word="slow", value=0.25))
    assert build(small_book.root) == 0, capfd.readouterr().out
    assert rows(small_book)[-1] == ["It is <slow>.", "0.25", "below 1", "stored", "held"]
