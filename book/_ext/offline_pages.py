"""Sphinx extension: pages that need no other host, each chapter with its notebook to download.

Thebe is taken out: it would fetch a script from elsewhere on a click, and the theme inserts its
script twice, an error on every page. What a download menu offers is the paired notebook.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils.nodes import document
from sphinx.application import Sphinx


def without_thebe(files: list[Any]) -> list[Any]:
    """The page's scripts or styles that are not Thebe's."""

    def mentions_thebe(file: Any) -> bool:
        body = getattr(file, "attributes", {}).get("body") or ""
        return "thebe" in f"{file.filename or ''} {body}".lower()

    return [file for file in files if not mentions_thebe(file)]


def take_out_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: document | None
) -> None:
    """Drop Thebe's files from one page, after every extension has added its own."""
    for kind in ("script_files", "css_files"):
        context[kind] = without_thebe(context[kind])


def offer_notebook(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: document | None
) -> None:
    """Name the notebook that is paired with a page, for the download menu."""
    if (Path(app.srcdir) / f"{page}.ipynb").exists():
        context["ipynb_source"] = f"{page}.ipynb"


def copy_notebooks(app: Sphinx, failure: Exception | None) -> None:
    """Put every paired notebook beside its page's source, also where only the notebook changed."""
    for page in app.env.found_docs:
        notebook = Path(app.srcdir) / f"{page}.ipynb"
        if failure is None and notebook.exists():
            target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(notebook, target)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", offer_notebook, priority=100)  # before the theme's buttons
    app.connect("html-page-context", take_out_thebe, priority=900)
    app.connect("build-finished", copy_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
