"""Sphinx extension: a section named *Evidence* is folded, and says how many claims it holds.

A chapter's story stands before it. What proves the story stands in it: executed, tested and found
by links like the rest, but closed until somebody asks. Browsers open the fold themselves when a
link leads into it. In formats other than HTML the section is an ordinary one.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

TITLE = "Evidence"
CLAIM = '<p class="claim">'  # as experiments.reading.claims shows one


class EvidenceFold(SphinxPostTransform):
    """Put all of the section but its title into an element that opens and closes."""

    default_priority = 900  # what cells print is in its HTML form by then
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Fold each section of that title."""
        for section in list(self.document.findall(nodes.section)):
            title = section.next_node(nodes.title)
            if title is None or title.astext() != TITLE:
                continue
            begin = f'<details class="evidence"><summary>{told(section)}</summary>'
            section.insert(section.index(title) + 1, nodes.raw("", begin, format="html"))
            section += nodes.raw("", "</details>", format="html")


def told(section: nodes.section) -> str:
    """What a closed fold says of itself."""
    shown = (node.astext() for node in section.findall(nodes.raw))
    claims = sum(text.count(CLAIM) for text in shown)
    tested = f"{claims} claim{'s' * (claims != 1)}, with " if claims else ""
    return f"Show what the chapter rests on: {tested}tables, tests and their code"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(EvidenceFold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
