"""One page, built by Sphinx with one extension of the book."""

import warnings
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


def built(folder: Path, extension: str, text: str, **settings: object) -> tuple[str, str]:
    """The page's HTML, and what the builder complained of; in a folder with what the page names."""
    (folder / "index.md").write_text(text)
    complaints = folder / "complaints.txt"
    # What Sphinx registers must not outlast it, or the next builder in this process complains.
    with complaints.open("w") as file, warnings.catch_warnings(), docutils_namespace():
        warnings.simplefilter("ignore")  # what the builder's own libraries are told
        app = Sphinx(
            folder,
            None,
            folder / "html",
            folder / "trees",
            "html",
            confoverrides={
                "extensions": ["myst_parser", extension],
                # Sphinx's own default remembers what other builds of this process added to it.
                "source_suffix": {".md": "markdown"},
                **settings,
            },
            status=None,
            warning=file,
        )
        app.build()
    return (folder / "html" / "index.html").read_text(), complaints.read_text()
