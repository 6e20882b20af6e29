"""Sphinx extension: ``{claims-table}`` lists every claim that the executed pages made.

A claim leaves what is listed of it among its cell's outputs, see ``experiments.reading.claims``;
the table is put together when all pages have been read, so it is of this build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from myst_nb.ext.execution_tables import METADATA_KEY
from myst_nb.sphinx_ import NbMetadataCollector
from myst_nb.sphinx_ext import OUTPUT_FOLDER
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from worded_status import link, table

from experiments.reading.claims import KEY, SOURCES

HEAD = ("claim", "value", "must be", "rests on", "verdict")
LISTED = ("sentence", "value", "criterion", "source", "verdict")


def claims_in(notebook: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What an executed notebook claims, in the order of its cells."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if KEY in output.get("metadata", ()):
                yield output["metadata"][KEY]


class ClaimsPlace(nodes.General, nodes.Element):
    """Where the table is to stand."""


class ClaimsTable(SphinxDirective):
    """Hold a place for the table, on a page that is drawn anew when any page was executed."""

    def run(self) -> list[nodes.Node]:
        """The place."""
        NbMetadataCollector.set_doc_data(self.env, self.env.docname, METADATA_KEY, True)
        return [ClaimsPlace()]


class Claims(SphinxPostTransform):
    """Put the table where the directive asks for it."""

    default_priority = 7  # links are resolved after that

    def run(self, **kwargs: object) -> None:
        """Replace each place that is held for the table."""
        for place in list(self.document.findall(ClaimsPlace)):
            found = {page: self.claimed(page) for page in self.config.external_site_map}
            found = {page: claims for page, claims in found.items() if claims}
            place.replace_self([counted(found), *self.listed(found)])

    def claimed(self, page: str) -> list[dict[str, str]]:
        """What a page claims, by the kept record of its execution."""
        written = Path(self.app.outdir).parent / OUTPUT_FOLDER / f"{page}.ipynb"
        if not written.exists():
            return []  # a page without cells
        records = get_cache(self.config.nb_execution_cache_path)
        _, executed = records.merge_match_into_notebook(nbformat.read(written, as_version=4))
        return list(claims_in(executed))

    def listed(self, found: Mapping[str, list[dict[str, str]]]) -> Iterator[nodes.Node]:
        """A table for each page, under its title."""
        for page, claims in found.items():
            yield nodes.rubric("", "", link(page, self.env.docname))
            rows = [[nodes.Text(claim[key]) for key in LISTED] for claim in claims]
            yield table(map(nodes.Text, HEAD), rows)


def counted(found: Mapping[str, list[dict[str, str]]]) -> nodes.table:
    """How many claims rest on what, and what became of them."""
    every = [claim for claims in found.values() for claim in claims]
    counts = Counter((claim["source"], claim["verdict"]) for claim in every)
    verdicts = sorted(
        {claim["verdict"] for claim in every}, key=("held", "cannot tell", "fell").index
    )
    rows = [
        [source, *(str(counts[source, verdict]) for verdict in verdicts)]
        for source in SOURCES
        if any(counts[source, verdict] for verdict in verdicts)
    ]
    total = ["all", *(str(sum(counts[s, v] for s in SOURCES)) for v in verdicts)]
    rows = [[nodes.Text(text) for text in row] for row in (*rows, total)]
    return table(map(nodes.Text, ("rests on", *verdicts)), rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and what fills its place."""
    app.add_node(ClaimsPlace)
    app.add_directive("claims-table", ClaimsTable)
    app.add_post_transform(Claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
