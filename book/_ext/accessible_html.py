"""Sphinx extension: what the builder's parts write, mended where assistive technology stumbles.

A head without words is an ordinary cell. Lists of references name roles that their items may not
have; without these they are text, which every reader can be told. Scrolling parts become stops of
the keyboard by ``_static/reading.js``, which knows what scrolls.
"""

from __future__ import annotations

import re

from page_html import rewrite_pages
from sphinx.application import Sphinx

EMPTY_HEAD = re.compile(r"<th((?: [^>]*)?)>(?:\s|&nbsp;|&#160;|<p/>|</?p>)*</th>")
SPANS = re.compile(r' (?:row|col)span="\d+"')
BAD_ROLES = re.compile(r' role="(?:list"(?= class="citation)|doc-biblioentry")')


def mended(html: str) -> str:
    """The HTML of a page with its empty heads and the roles of its references mended."""
    html = EMPTY_HEAD.sub(lambda head: f"<td{''.join(SPANS.findall(head[1]))}></td>", html)
    return BAD_ROLES.sub("", html)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension and its script."""
    rewrite_pages(app, mended)
    app.add_js_file("reading.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
