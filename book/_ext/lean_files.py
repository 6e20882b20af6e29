"""Sphinx extension: what the pages load is made lean once all of them are written.

Style sheets lose the rules that no page can meet, figures say in fewer letters what they draw. Each
build copies the whole files first, so what a page needs anew is there again.
"""

from __future__ import annotations

from pathlib import Path

from lean_figures import lean_figure
from lean_styles import names_on_pages, used
from sphinx.application import Sphinx


def make_lean(app: Sphinx, failure: Exception | None) -> None:
    """Rewrite the built book's style sheets and figures."""
    if failure is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    names = names_on_pages(folder)
    for sheet in (folder / "_static").rglob("*.css"):
        sheet.write_text(used(sheet.read_text(encoding="utf-8"), names), encoding="utf-8")
    for figure in (folder / "_images").glob("*.svg"):
        figure.write_text(lean_figure(figure.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", make_lean, priority=900)  # after all that copy files then
    return {"parallel_read_safe": True, "parallel_write_safe": True}
