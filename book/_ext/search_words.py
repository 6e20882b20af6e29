"""Sphinx extension: what the search page needs to show excerpts in words.

``_static/plain.js`` holds every formula of the book in plain letters; ``search.js`` puts them into
excerpts, and reads μP under all its spellings. Only the search page loads the two.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from plain_formulas import plain
from sphinx.application import Sphinx


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load both on the search page, after the builder's own."""
    if page == "search":
        for name in ("plain.js", "search.js"):
            app.add_js_file(name, loading_method="defer")


def write_plain(app: Sphinx, failure: Exception | None) -> None:
    """Write the table of formulas."""
    if failure is not None or app.builder.format != "html":
        return
    table = {}
    for page in sorted(app.env.found_docs):
        for formula in app.env.get_doctree(page).findall(nodes.math):
            table[formula.astext().strip()] = plain(formula.astext())
    told = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    (Path(app.outdir) / "_static" / "plain.js").write_text(f"const PLAIN = {told};\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
