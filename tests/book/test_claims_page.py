"""The page that lists claims has all that the executed pages made, and no other."""

import re
from html import unescape

from build_book import build

CLAIM = """> from IPython.display import publish_display_data

said = {{"sentence": "It is <{word}>.", "value": "{value}", "criterion": "below 1"}}
said |= {{"name": "ch01-{word}", "source": "stored", "verdict": "held"}}
publish_display_data({{"text/plain": "said"}}, metadata={{"claim": said}})
"""


TAG = re.compile("<.*?>", re.DOTALL)


def texts(book, *tags: str) -> list[str]:
    """What the elements of these tags on the page say, in order."""
    page = (book.root / "_build" / "html" / "book" / "claims.html").read_text()
    article = page[page.index("<article") : page.index("</article")]
    found = re.findall(rf"<({'|'.join(tags)})\b.*?>(.*?)</\1>", article, flags=re.DOTALL)
    return [" ".join(unescape(TAG.sub("", text)).split()) for _, text in found]


def test_every_claim_is_counted_and_listed_and_a_changed_one_anew(small_book, capfd):
    small_book.add_page("book/claims", "# Claims", "```{claims-list}\n```")
    small_book.add_page("chapters/01-one", "# One & only", CLAIM.format(word="slow", value=0.5))
    small_book.add_page("chapters/02-two", "# Two", small_book.note("two"))
    assert build(small_book.root) == 0, capfd.readouterr().out
    assert texts(small_book, "td", "th") == [
        *("rests on", "held"),
        *("stored: a stored result", "1"),
        *("all", "1"),
    ]
    assert texts(small_book, "summary", "li") == [
        "One & only: 1 claim, 1 stored",
        "held It is <slow>. 0.5; below 1; a stored result",
    ]
    small_book.add_page("chapters/01-one", "# One", CLAIM.format(word="slow", value=0.25))
    assert build(small_book.root) == 0, capfd.readouterr().out
    assert texts(small_book, "li") == ["held It is <slow>. 0.25; below 1; a stored result"]
