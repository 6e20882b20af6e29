"""Sphinx extension: a page loads our scripts only if it holds what they work on."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

SCRIPTS = {  # a mark in the page's text and the scripts that look for it, in their order
    'id="calculator"': ("elements.js", "calculator.js"),
    'class="explorer"': ("elements.js", "explorer.js"),
    'class="explorer sums"': ("elements.js", "sums.js"),
    'class="explorer plane"': ("elements.js", "plane.js"),
    'class="explorer atlas"': ("elements.js", "atlas.js"),
    "<details": ("folds.js",),
}


def add_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add to one page the scripts that it needs."""
    for mark, scripts in SCRIPTS.items():
        if mark in context.get("body", ""):
            for script in scripts:
                app.add_js_file(script, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page before it is written."""
    app.connect("html-page-context", add_scripts, priority=800)  # when a page is as it will be
    return {"parallel_read_safe": True, "parallel_write_safe": True}
