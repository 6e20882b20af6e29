"""Sphinx extension: a drawn diagram stands in its page as drawing and text, not as an image.

So it follows the page's theme, and its words can be selected and searched. Sources name the file in
an ordinary ``{figure}``; formats other than HTML take it as that. A screen reader is told the
figure's alternative text, so one without stops the strict build.
"""

from __future__ import annotations

from html import escape
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.logging import getLogger

FOLDER = PurePosixPath("book/_static/diagrams")
HEAD = "<svg "


class InlineDiagrams(SphinxPostTransform):
    """Put a diagram's file where a page shows it."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Replace every image from the folder of diagrams."""
        for image in list(self.document.findall(nodes.image)):
            if PurePosixPath(image["uri"]).parent != FOLDER:
                continue
            if not image.get("alt"):
                message = "the diagram %s has no text for who cannot see it: give it :alt:"
                getLogger(__name__).warning(message, image["uri"], location=image)
            drawing = (Path(self.app.srcdir) / image["uri"]).read_text(encoding="utf-8")
            image.replace_self(nodes.raw("", said(drawing, image.get("alt", "")), format="html"))


def said(drawing: str, words: str) -> str:
    """An SVG that a screen reader reads as one image with these words."""
    return drawing.replace(HEAD, f'{HEAD}role="img" aria-label="{escape(words)}" ', 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(InlineDiagrams)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
