"""Sphinx extension: numbers that cells put into the text have a true minus.

A number prints itself for a terminal, ``-0.62``. In a sentence it is set as −0.62.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

PASTED = "pasted-text"  # the class that MyST-NB gives them
MINUS = re.compile(r"(?<![\w^-])-(?=\.?\d)")


class TrueMinus(SphinxPostTransform):
    """Set the minus of each number that was pasted."""

    default_priority = 890

    def run(self, **kwargs: object) -> None:
        """Look at all that was pasted into sentences."""
        for pasted in self.document.findall(nodes.inline):
            if PASTED in pasted["classes"]:
                for text in list(pasted.findall(nodes.Text)):
                    text.parent.replace(text, nodes.Text(with_true_minus(text.astext())))


def with_true_minus(text: str) -> str:
    """The text, of which each hyphen that stands for a sign is a minus."""
    return MINUS.sub("−", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.add_post_transform(TrueMinus)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
