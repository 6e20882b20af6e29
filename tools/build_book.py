"""Build the book aside, and put it in place only when all of it passed.

Every page's cells are executed, the pages are rendered strictly into a folder of their own, and
``_build/html`` is exchanged for that folder's copy at the end. So what can be read there is always
one whole book that passed; after a failure it is the one before.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

from cores import cores
from execute_chapters import EXECUTED, ROOT, execute, failures_in_words
from jupyter_book.sphinx import build_sphinx
from outcomes import COLOURS
from pages import Settings, listed, read_pages
from records import Records

WARNING = re.compile(
    r"^(?P<path>[^:\n]+\.md)(:(?P<line>\d+))?: (WARNING|ERROR|CRITICAL): (?P<said>.*)"
)


def build(root: Path) -> int:
    """Build the book of a folder into its ``_build/html``; return the exit status."""
    start = time.monotonic()
    book = root / "_build" / "html"
    restore(book)
    failed = execute_pages(root) or render(root)
    seconds = time.monotonic() - start
    if failed:
        stands = (
            "the book that passed before stands as it was" if book.exists() else "there is none"
        )
        print(f"\n{failed}\n\nBook: FAILED after {seconds:.0f} s; in {book} {stands}", flush=True)
        return 1
    put_in_place(root / "_build" / "staged", book)
    print(f"Book: built in {seconds:.0f} s. Open {book / 'index.html'}")
    return 0


def execute_pages(root: Path) -> str:
    """Execute what changed; return what failed in a reader's words, empty where all passed."""
    settings = Settings.of(root)
    pages = read_pages(listed(root), root, settings)
    records = Records(root / EXECUTED, root)
    print("Book: executing the pages whose code, data or pins changed", flush=True)
    outcomes = execute(pages, records=records, seconds_per_cell=settings.seconds_per_cell)
    if failed := failures_in_words(outcomes):
        return "\n\n".join(failed)
    if not records.are_current():
        return "The package, the data or the pins were edited meanwhile: build again."
    records.drop_others()
    return ""


def render(root: Path) -> str:
    """Render the executed pages into ``_build/staged``; return what failed, empty where all passed.

    A rendering that ends with warnings leaves its parsed pages behind, and Sphinx would call the
    next one clean because nothing changed. So parsed pages are trusted only after one that passed.
    """
    parsed, passed = root / "_build" / ".doctrees", root / "_build" / "passed"
    if not passed.exists():
        shutil.rmtree(parsed, ignore_errors=True)
    passed.unlink(missing_ok=True)
    print("Book: rendering", flush=True)
    with redirect_stderr(io.StringIO()) as said:
        status = build_sphinx(
            root,
            root / "_build" / "staged",
            noconfig=True,
            path_config=root / "_config.yml",
            confoverrides={
                "external_toc_path": (root / "_toc.yml").as_posix(),
                "latex_individualpages": False,
                "nitpicky": True,  # a reference that leads nowhere warns
            },
            doctreedir=parsed,
            warningiserror=True,
            keep_going=True,  # show all warnings
            quiet=True,
            jobs=cores(),
        )
    if status:
        return "\n".join(in_words(line, root) for line in said.getvalue().splitlines())
    passed.touch()
    return ""


def in_words(line: str, root: Path) -> str:
    """A line that Sphinx wrote, as a reader is told it: the page, the line, what is wrong."""
    line = COLOURS.sub("", line)
    found = WARNING.match(line)
    if not found:
        return line
    page = Path(found["path"])
    page = page.relative_to(root) if page.is_relative_to(root) else page
    where = f"{page}, line {found['line']}" if found["line"] else str(page)
    return f"{where}: {found['said']}"


def put_in_place(staged: Path, book: Path) -> None:
    """Exchange the book for a copy of the staged one.

    The copy is made beside it first; then two renames follow each other. Stopped between these,
    both books are whole under their other names, and ``restore`` finds them.
    """
    new, old = beside(book)
    shutil.copytree(staged, new)
    if book.exists():
        book.rename(old)
    new.rename(book)
    shutil.rmtree(old, ignore_errors=True)


def restore(book: Path) -> None:
    """Clear up after a build that was stopped while it put a book in place."""
    new, old = beside(book)
    if old.exists() and not book.exists():
        old.rename(book)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)


def beside(book: Path) -> tuple[Path, Path]:
    """Where the next book and the one before lie during the exchange."""
    return book.with_name(f"{book.name}.new"), book.with_name(f"{book.name}.old")


if __name__ == "__main__":
    sys.exit(build(ROOT))
