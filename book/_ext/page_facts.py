"""Sphinx extension: what each page is about, and of which version and day it is.

The description is the page's first paragraph, for search engines and previews of links. The day is
that of the last commit, so that a book which is made again from the same sources is the same.
"""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from docutils import nodes
from plain_formulas import plain
from sphinx.application import Sphinx
from sphinx.config import Config

import specmup

LONGEST = 200  # characters: search engines show no more
ASIDE = (nodes.Admonition, nodes.figure, nodes.table, nodes.footnote)


def description(page: nodes.document) -> str:
    """The page's first paragraph in plain letters, cut between words."""
    for paragraph in page.findall(nodes.paragraph):
        if any(isinstance(above, ASIDE) for above in ancestors(paragraph)):
            continue
        copy = paragraph.deepcopy()
        for formula in list(copy.findall(nodes.math)):
            formula.replace_self(nodes.Text(plain(formula.astext())))
        if words := " ".join(copy.astext().split()):
            return words if len(words) <= LONGEST else words[:LONGEST].rsplit(" ", 1)[0] + " …"
    return ""


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """What a node stands in, from the inside out."""
    found = []
    while (node := node.parent) is not None:
        found.append(node)
    return found


def day_of(root: Path) -> str:
    """The day of the last commit in a folder; today where git knows none."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%cs"], cwd=root, capture_output=True, text=True
    )
    day = date.fromisoformat(told.stdout.strip()) if told.stdout.strip() else date.today()
    return f"{day.day} {day:%B %Y}"


def name_version(app: Sphinx, config: Config) -> None:
    """Let the package say its version, and git the day."""
    config.version = config.release = specmup.__version__
    config.html_context["made"] = day_of(Path(app.srcdir))
    if config.html_baseurl:  # sites that preview a link ask for the whole address of its image
        config.html_context["image"] = f"{config.html_baseurl.rstrip('/')}/_static/preview.png"


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give a page's template its description."""
    if doctree is not None:
        context["description"] = description(doctree)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", name_version)
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
