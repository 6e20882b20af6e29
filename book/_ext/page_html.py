"""What Sphinx extensions share that rewrite the HTML of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def rewrite_pages(app: Sphinx, rewritten: Callable[[str], str], *, priority: int = 500) -> None:
    """Have the HTML of each page rewritten before it is written.

    Args:
        app: The builder.
        rewritten: From a page's HTML to what is to stand in its place.
        priority: Those with a smaller one come before.
    """

    def rewrite(
        _app: Sphinx,
        _page: str,
        _template: str,
        context: dict[str, Any],
        _tree: nodes.document | None,
    ) -> None:
        if "body" in context:
            context["body"] = rewritten(context["body"])

    app.connect("html-page-context", rewrite, priority=priority)
