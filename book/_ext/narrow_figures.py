"""Sphinx extension: a figure of several columns has a second file, its panels below each other.

Executed cells display it beside the figure (``experiments.reading.stacked``). A page as narrow as
a phone loads that one.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from lazy_figures import IMAGE, size
from sphinx.application import Sphinx

WIDE, NARROW = "image/svg+xml", "narrow"
TAG = re.compile(IMAGE.pattern + r"[^>]*>")


def variants(executed: Path) -> dict[str, str]:
    """The narrow variants in executed notebooks, by the hash that a figure's file is named by."""
    found = {}
    for path in sorted(executed.rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in (shown for cell in cells for shown in cell.get("outputs", ())):
            about = output.get("metadata", {})
            if NARROW in about:
                wide = next(svg for kind, svg in output["data"].items() if kind.endswith(WIDE))
                lines = "".join(wide).splitlines()
                found[sha256("\n".join(lines).encode()).hexdigest()] = about[NARROW]
    return found


def offer(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Offer each figure of one page to narrow screens in its own variant, where it has one."""
    if "body" not in context:
        return
    folder = Path(app.outdir) / app.builder.imagedir

    def offered(image: re.Match[str]) -> str:
        name = image[1].removesuffix(".svg")
        if name not in app.narrow_figures:
            return image[0]
        svg = app.narrow_figures[name]
        folder.mkdir(exist_ok=True)
        (folder / f"{name}-narrow.svg").write_text(svg, encoding="utf-8")
        source = re.search(r'src="([^"]+)\.svg"', image[0])
        narrow = f'srcset="{source[1]}-narrow.svg" {size(svg)}'
        return f'<picture><source media="(max-width: 600px)" {narrow}/>{image[0]}</picture>'

    context["body"] = TAG.sub(offered, context["body"])


def read(app: Sphinx) -> None:
    """Read what was executed for this build."""
    app.narrow_figures = variants(Path(app.config.nb_execution_cache_path))


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at every page before it is written."""
    app.connect("builder-inited", read)
    app.connect("html-page-context", offer, priority=450)  # figures may be told to wait after
    return {"parallel_read_safe": True, "parallel_write_safe": True}
