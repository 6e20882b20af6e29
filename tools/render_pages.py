"""Render the book's executed pages strictly: every warning is an error."""

from __future__ import annotations

import gc
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

from jupyter_book.sphinx import build_sphinx
from outcomes import COLOURS
from pages import listed

WARNING = re.compile(r"(?P<path>[^:]+\.md)(:(?P<line>\d+))?: [A-Z]+: (?P<said>.*)")


def render(root: Path, staged: Path) -> str:
    """Render a book's pages into a folder; return what is wrong with them, or nothing.

    A rendering that ends with warnings leaves its parsed pages behind, and Sphinx would call the
    next one clean because nothing changed. So parsed pages are trusted only after one that passed.

    Args:
        root: The book's folder; its pages have been executed.
        staged: Where the pages are made; what is there is brought up to date.
    """
    parsed, passed = root / "_build" / ".doctrees", root / "_build" / "passed"
    if left_over(root, staged):
        shutil.rmtree(staged)
    if not passed.exists():
        shutil.rmtree(parsed, ignore_errors=True)
    passed.unlink(missing_ok=True)
    with redirect_stderr(io.StringIO()) as said, only_new_objects():
        status = build_sphinx(
            root,
            staged,
            noconfig=True,
            path_config=root / "_config.yml",
            confoverrides=overrides(root),
            doctreedir=parsed,
            warningiserror=True,
            keep_going=True,  # tell of all warnings
            quiet=True,
        )
    if status:
        return "\n".join(in_words(line, root) for line in said.getvalue().splitlines())
    passed.touch()
    return ""


def overrides(root: Path) -> dict[str, object]:
    """What a build of the book sets beside its configuration."""
    return {
        "external_toc_path": (root / "_toc.yml").as_posix(),
        "latex_individualpages": False,
        "nitpicky": True,  # a reference that leads nowhere warns
    }


def left_over(root: Path, staged: Path) -> list[Path]:
    """The rendered pages that the book has no longer, by their old name or at all."""
    pages = {staged / path.relative_to(root).with_suffix(".html") for path in listed(root)}
    return [
        one
        for folder in {page.parent for page in pages} - {staged}
        for one in folder.glob("*.html")
        if one not in pages
    ]


@contextmanager
def only_new_objects() -> Iterator[None]:
    """Hide what this process holds already from a search through all objects.

    sphinx_external_toc looks for one by asking every object for its class, and a weak proxy whose
    object has gone answers with an error.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def in_words(line: str, root: Path) -> str:
    """A line that Sphinx wrote, as a reader is told it: the page, the line, what is wrong."""
    line = COLOURS.sub("", line)
    found = WARNING.match(line)
    if not found:
        return line
    path = Path(found["path"])
    page = path.relative_to(root) if path.is_relative_to(root) else path
    where = f"{page}, line {found['line']}" if found["line"] else f"{page}"
    return f"{where}: {found['said']}"
