"""Sphinx extension: a file of the package on a page, each of its lines an address to link to.

``{source-lines} specmup/theory/update.py`` shows the whole file with its line numbers. Each line of
its body, ``label: text``, names the one line that holds ``text``, so that ``{ref}`words <label>```
leads there from any page. A text that no line holds, or several, stops the strict build.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def line_of(text: str, lines: list[str]) -> int:
    """Number of the one line that holds ``text``, counted from 1.

    Raises:
        ValueError: If no line holds it, or several do.
    """
    found = [number for number, line in enumerate(lines, start=1) if text in line]
    if len(found) != 1:
        raise ValueError(f"{text!r} is on {len(found)} lines of the file: give text of exactly one")
    return found[0]


class SourceLines(SphinxDirective):
    """A numbered listing of one file; see the module."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The listing, with its labels made known to every page."""
        path = Path(self.env.srcdir) / self.arguments[0]
        source = path.read_text()
        self.env.note_dependency(str(path))
        stem = path.stem
        for entry in filter(None, map(str.strip, self.content)):
            label, text = entry.split(": ", maxsplit=1)
            try:
                number = line_of(text, source.splitlines())
            except ValueError as problem:
                raise self.error(str(problem)) from None
            standard = self.env.get_domain("std")
            standard.note_hyperlink_target(label, self.env.docname, f"{stem}-{number}")
        listing = nodes.literal_block(source, source, language="python", linenos=True)
        # The formatter gives line 12 of update.py the address #update-12. Its number is no link: a
        # keyboard would have to pass every line.
        listing["highlight_args"] = {"lineanchors": stem}
        listing["classes"] = ["source-lines"]
        return [listing]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("source-lines", SourceLines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
