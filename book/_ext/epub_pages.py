"""Sphinx extension: the pages of an EPUB are XML, say what formulas are, and run no script."""

from __future__ import annotations

import re

from page_html import rewrite_pages
from sphinx.application import Sphinx

SCRIPT = re.compile(r"<script\b.*?</script>|</?noscript>", re.DOTALL)
# What a fold is called while it is closed, and, which is for the pages' style, while it is open.
CLOSED = re.compile(
    r'<p class="collapsed[^>]*>(.*?)</p>\s*<p class="expanded[^>]*>.*?</p>', re.DOTALL
)
FORMULA = re.compile(r"<math(?=[\s>])")
NAMESPACE = "http://www.w3.org/1998/Math/MathML"


def as_xml(html: str) -> str:
    """A page's HTML without scripts; what waited for one is there, and formulas have their name."""
    html = CLOSED.sub(r"\1", SCRIPT.sub("", html))
    return FORMULA.sub(f'<math xmlns="{NAMESPACE}"', html)


def of_epub(app: Sphinx) -> None:
    """Rewrite pages where an EPUB is built."""
    if app.builder.name == "epub":
        rewrite_pages(app, as_xml, priority=950)  # after all that adds to a page


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", of_epub)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
