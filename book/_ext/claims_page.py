"""Sphinx extension: ``{claims-list}`` counts and lists every claim that the executed pages made.

A claim leaves what is listed of it among its cell's outputs, see ``experiments.reading.claims``;
the list is put together when all pages have been read, so it is of this build. Each page's claims
are folded under its title, so that a thousand of them can be read on a phone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
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

VERDICTS = ("held", "cannot tell", "fell")

Listed = Mapping[str, str]  # what is listed of a claim


def claims_in(notebook: Mapping[str, Any]) -> Iterator[Listed]:
    """What an executed notebook claims, in the order of its cells."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if KEY in output.get("metadata", ()):
                yield output["metadata"][KEY]


class ClaimsPlace(nodes.General, nodes.Element):
    """Where the list is to stand."""


class ClaimsList(SphinxDirective):
    """Hold a place for the list, on a page that is drawn anew when any page was executed."""

    def run(self) -> list[nodes.Node]:
        """The place."""
        NbMetadataCollector.set_doc_data(self.env, self.env.docname, METADATA_KEY, True)
        return [ClaimsPlace()]


class Claims(SphinxPostTransform):
    """Put the list where the directive asks for it."""

    default_priority = 7  # links are resolved after that

    def run(self, **kwargs: object) -> None:
        """Replace each place that is held for the list."""
        for place in list(self.document.findall(ClaimsPlace)):
            found = {page: self.claimed(page) for page in self.config.external_site_map}
            found = {page: claims for page, claims in found.items() if claims}
            place.replace_self([counted(found), *self.listed(found)])

    def claimed(self, page: str) -> list[Listed]:
        """What a page claims, by the kept record of its execution."""
        written = Path(self.app.outdir).parent / OUTPUT_FOLDER / f"{page}.ipynb"
        if not written.exists():
            return []  # a page without cells
        records = get_cache(self.config.nb_execution_cache_path)
        _, executed = records.merge_match_into_notebook(nbformat.read(written, as_version=4))
        return list(claims_in(executed))

    def listed(self, found: Mapping[str, list[Listed]]) -> Iterator[nodes.Node]:
        """The claims of each page, folded under its title and their number."""
        for page, claims in found.items():
            title = f"{self.env.titles[page].astext()}: {in_words(claims)}"
            yield html(f'<details class="claims"><summary>{escape(title)}</summary>')
            yield nodes.paragraph("", "", link(page, self.env.docname, "Read the page"))
            yield nodes.bullet_list("", *map(entry, claims))
            yield html("</details>")


def entry(claim: Listed) -> nodes.list_item:
    """A claim's verdict and sentence; quietly its value, what that must be, what it rests on."""
    rest = f"{claim['value']}; {claim['criterion']}; {SOURCES[claim['source']]}"
    parts = (
        nodes.inline(text=claim["verdict"], classes=["claim-verdict"]),
        nodes.Text(f" {claim['sentence']} "),
        nodes.inline(text=rest, classes=["claim-rest"]),
    )
    return nodes.list_item("", nodes.paragraph("", "", *parts), ids=[claim["name"]])


def in_words(claims: list[Listed]) -> str:
    """Such as ``3 claims, 1 live, 2 stored``."""
    counts = Counter(claim["source"] for claim in claims)
    kinds = (f"{counts[source]} {source}" for source in SOURCES if counts[source])
    return ", ".join((f"{len(claims)} claim{'s' * (len(claims) != 1)}", *kinds))


def html(text: str) -> nodes.raw:
    """HTML as it is."""
    return nodes.raw("", text, format="html")


def counted(found: Mapping[str, list[Listed]]) -> nodes.table:
    """How many claims rest on what, and what became of them."""
    counts = Counter((c["source"], c["verdict"]) for claims in found.values() for c in claims)
    verdicts = [v for v in VERDICTS if any(counts[source, v] for source in SOURCES)]
    rows = [
        [f"{source}: {what}", *(str(counts[source, v]) for v in verdicts)]
        for source, what in SOURCES.items()
        if any(counts[source, v] for v in verdicts)
    ]
    total = ["all", *(str(sum(counts[s, v] for s in SOURCES)) for v in verdicts)]
    cells = [[nodes.Text(text) for text in row] for row in (*rows, total)]
    return table(map(nodes.Text, ("rests on", *verdicts)), cells)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and what fills its place."""
    app.add_node(ClaimsPlace)
    app.add_directive("claims-list", ClaimsList)
    app.add_post_transform(Claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
