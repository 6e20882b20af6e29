"""Sphinx extension: keep punctuation on the line of the formula that it touches.

A browser may break a line on either side of a typeset formula, so a line could begin with a full
stop. Formula and punctuation are put into one element in which lines do not break.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

OPENING, CLOSING = "([‘“", ".,;:!?)]’”"


class JoinPunctuation(SphinxPostTransform):
    """Join each inline formula to the punctuation around it."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Wrap every inline formula that touches punctuation."""
        for formula in list(self.document.findall(nodes.math)):
            join(formula)


def join(formula: nodes.math) -> None:
    """Move the punctuation around a formula into one unbreakable element with it."""
    parent, place = formula.parent, formula.parent.index(formula)
    first, last = place, place + 1
    before = after = ""
    if place > 0 and isinstance(parent[place - 1], nodes.Text):
        first, before = place - 1, parent[place - 1].astext()
    if last < len(parent) and isinstance(parent[last], nodes.Text):
        last, after = last + 1, parent[last].astext()
    head, tail = before.rstrip(OPENING), after.lstrip(CLOSING)
    opening, closing = before[len(head) :], after[: len(after) - len(tail)]
    if opening or closing:
        inside = [nodes.Text(opening), formula, nodes.Text(closing)]
        whole = nodes.inline("", "", *inside, classes=["unbroken"])
        outside = [nodes.Text(head), whole, nodes.Text(tail)]
        parent[first:last] = [node for node in outside if node is whole or node.astext()]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_post_transform(JoinPunctuation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
