"""Write the built book as one EPUB, ``_build/specmup.epub``, from its executed and parsed pages."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml
from jupyter_book.sphinx import build_sphinx
from render_pages import only_new_objects, overrides

ROOT = Path(__file__).resolve().parent.parent
NAME = "specmup"


def make(root: Path) -> Path:
    """Write a book that has been built as an EPUB, and return its path.

    Args:
        root: The book's folder.

    Raises:
        RuntimeError: If Sphinx writes none.
    """
    folder, configuration = root / "_build" / "epub", root / "_config.yml"
    about = {
        "epub_title": yaml.safe_load(configuration.read_text(encoding="utf-8"))["title"],
        "epub_basename": NAME,
        "epub_identifier": NAME,
        "epub_show_urls": "no",
        "suppress_warnings": ["epub.unknown_project_files", "config"],
    }
    with only_new_objects():
        status = build_sphinx(
            root,
            folder,
            noconfig=True,
            path_config=configuration,
            confoverrides={**overrides(root), **about},
            builder="epub",
            doctreedir=root / "_build" / ".doctrees",
            quiet=True,
        )
    if status:
        raise RuntimeError("Sphinx could not write the EPUB: what it says stands above")
    return Path(shutil.copy(folder / f"{NAME}.epub", root / "_build"))


if __name__ == "__main__":
    print(f"EPUB: {make(ROOT)}")
