"""Sphinx extension: the table of executed pages says *passed* in words, and how long each took.

``{nb-exec-table}`` marks results with emoji. Its place in the page is kept, and that it is drawn
anew whenever a page was executed; the table put there is this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from docutils import nodes
from myst_nb.ext.execution_tables import ExecutionStatsNode
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class WordedStatus(SphinxPostTransform):
    """Put the table where the directive asks for one."""

    default_priority = 7  # the builder's own comes at 8, and links are resolved after that

    def run(self, **kwargs: object) -> None:
        """Replace each place that is held for a table."""
        places = list(self.document.findall(ExecutionStatsNode))
        if not places:
            return
        found = NbMetadataCollector.get_doc_data(self.env)
        executed = {page: found[page].get("exec_data") for page in self.config.external_site_map}
        rows = [
            (
                link(page, self.env.docname),
                nodes.Text("passed" if data["succeeded"] else "failed"),
                nodes.Text(f"{data['runtime']:.0f}"),
            )
            for page, data in executed.items()
            if data
        ]
        for place in places:
            place.replace_self(table(map(nodes.Text, ("page", "result", "seconds")), rows))


def link(page: str, here: str, text: str = "") -> nodes.Node:
    """A link to a page under its title or a text, for the builder to resolve."""
    words = nodes.inline(text=text or page)
    target = {"reftype": "doc", "refdomain": "std", "reftarget": f"/{page}", "refdoc": here}
    return pending_xref("", words, refexplicit=bool(text), refwarn=True, **target)


def table(head: Iterable[nodes.Node], rows: Iterable[Iterable[nodes.Node]]) -> nodes.table:
    """A table of one row of heads and the rows below it."""
    top = row(head)
    columns = [nodes.colspec(colwidth=1) for _ in top]
    group = nodes.tgroup(
        "", *columns, nodes.thead("", top), nodes.tbody("", *map(row, rows)), cols=len(columns)
    )
    return nodes.table("", group, classes=["colwidths-auto"])


def row(cells: Iterable[nodes.Node]) -> nodes.row:
    """One row of a table."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(WordedStatus)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
