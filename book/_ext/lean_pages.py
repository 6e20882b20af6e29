"""Sphinx extension: what shows nothing is left out of a page, and large folds wait.

What stands in a dropdown of the class ``waits`` is an element ``noscript`` until it is opened:
without scripts a reader has it at once, with them a browser builds it when it is asked for
(``_static/folds.js``).
"""

from __future__ import annotations

import re

from page_html import rewrite_pages
from sphinx.application import Sphinx

CELL = re.compile(r"<(t[dh])((?: [^>]*)?)><p>((?:(?!</?p\b).)*)</p></\1>", re.DOTALL)
LINKED = re.compile(r'<span class="std std-[a-z]+">((?:(?!</?span).)*)</span>', re.DOTALL)
# Names, operators, marks and spaces in listings have the colour of the listing.
PLAIN = re.compile(r'<span class="(?:n|nn|o|p|w)">([^<]*)</span>')
CHECKED = re.compile(r'<span class="c1"># NBVAL_CHECK_OUTPUT</span>\n')  # for tests, not readers
TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
# The theme draws no stripes; what is a head says its element.
OF_TABLES = re.compile(r' class="(?:row-odd|row-even|rowhead|head)"|(?<=</t[dhr]>)\n')
RIGHT = ' class="text-right"'
FOLD = re.compile(
    r'(<details class="[^"]*\bwaits\b[^>]*>\s*<summary.*?</summary>)(.*?)(</details>)', re.DOTALL
)


def lean(html: str) -> str:
    """A page's HTML without what shows nothing, its waiting folds aside.

    Raises:
        ValueError: If there is a fold in one that waits.
    """
    html = CELL.sub(r"<\1\2>\3</\1>", html)
    html = CHECKED.sub("", html)
    html = PLAIN.sub(r"\1", LINKED.sub(r"\1", html))
    html = TABLE.sub(lambda found: lean_table(found[0]), html)
    for fold in FOLD.finditer(html):
        if "<details" in fold[2]:
            raise ValueError("a fold that waits cannot hold another: take its class away")
    return FOLD.sub(r"\1<noscript>\2</noscript>\3", html)


def lean_table(table: str) -> str:
    """A table without classes that show nothing; where all its cells lie right, it says so once."""
    table = OF_TABLES.sub("", table)
    if "<td" in table and table.count("<td") == table.count(f"<td{RIGHT}>"):
        table = table.replace(f"<td{RIGHT}>", "<td>")
        table = table.replace('class="', 'class="numbers ', 1)
    return table


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    rewrite_pages(app, lean, priority=700)  # after what looks for elements
    return {"parallel_read_safe": True, "parallel_write_safe": True}
