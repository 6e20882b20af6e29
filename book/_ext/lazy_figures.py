"""Sphinx extension: a figure is loaded when a reader comes near it, its place kept meanwhile.

Half of a chapter's figures stand in closed folds; who does not open these does not wait for them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

IMAGE = re.compile(r'<img (?=[^>]*\bsrc="[^"]*_images/([^"/]+\.svg)")')
SIZE = re.compile(r'<svg [^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"')
PIXELS = 4 / 3  # of a point


def size(svg: str) -> str:
    """The attributes that keep a figure's place; nothing where it does not say its size."""
    found = SIZE.search(svg)
    if not found:
        return ""
    wide, high = (float(points) * PIXELS for points in found.groups())
    return f'width="{wide:.0f}" height="{high:.0f}" '


def delay(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Say of each figure of one page that it may wait, and how large it is."""
    if "body" not in context:
        return
    files = {name: path for path, name in app.builder.images.items()}

    def told(image: re.Match[str]) -> str:
        svg = (Path(app.srcdir) / files[image[1]]).read_text(encoding="utf-8")
        return f'<img loading="lazy" {size(svg)}'

    context["body"] = IMAGE.sub(told, context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page before it is written."""
    app.connect("html-page-context", delay)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
