"""Sphinx extension: what links lead to, kept by page for ``_static/previews.js`` to show.

Terms, statements, numbered equations and references are what a reader looks up in the middle of a
sentence. Each page has its own file of them, a script and no JSON, since a page that is read from
disk may load scripts alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# How an element that is worth showing begins. A proof has one class alone and is none of them; what
# explains a term is the element after it.
BEGINS = re.compile(
    r'<dt id="(?P<term>term-[^"]+)">'
    r'|<div class="(?:proof [\w-]+ admonition|citation)" id="(?P<statement>[^"]+)"'
    r'|<div class="math notranslate nohighlight" id="(?P<equation>equation-[^"]+)"'
)


def element(html: str, start: int) -> str:
    """The element that begins at a place, up to its own end."""
    name = re.compile(r"<(\w+)").match(html, start)
    if name is None:
        raise ValueError(f"no element begins with {html[start : start + 40]!r}")
    depth = 0
    for mark in re.compile(rf"<(/?){name[1]}\b[^>]*>").finditer(html, start):
        depth += -1 if mark[1] else 1
        if depth == 0:
            return html[start : mark.end()]
    raise ValueError(f"the element {html[start : start + 40]!r} does not end")


def worth_showing(html: str) -> dict[str, str]:
    """The targets of a page's HTML that a link may show, by their names."""
    found = {}
    for begin in BEGINS.finditer(html):
        if name := begin["term"]:
            found[name] = element(html, html.index("<dd", begin.end()))
        else:
            found[begin["statement"] or begin["equation"]] = element(html, begin.start())
    return found


def write_previews(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the file of one page, if anything there is worth it."""
    path = Path(app.outdir) / "_static" / "previews" / f"{page}.js"
    path.unlink(missing_ok=True)
    if found := worth_showing(context.get("body", "")):
        path.parent.mkdir(parents=True, exist_ok=True)
        told = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        path.write_text(f"previews({json.dumps(page)}, {told});\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension and its script."""
    app.connect("html-page-context", write_previews, priority=600)  # after roles are mended
    app.add_js_file("previews.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
