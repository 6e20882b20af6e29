"""Build the book aside, and put it in place only when all of it passed.

Every page's cells are executed, the pages are rendered strictly into a folder of their own, and
``_build/html`` is exchanged for that folder's copy at the end. So what can be read there is always
one whole book that passed; after a failure it is the one before.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "book" / "_ext"))

from fresh_execution import BOOK, fingerprint, records_name

ROOT = Path(__file__).resolve().parent.parent
MADE_FROM = ".made-from"  # in a book's folder: what it was made from, hashed


def build(root: Path) -> int:
    """Build the book of a folder into its ``_build/html``; return the exit status."""
    start = time.monotonic()
    staged, book = root / "_build" / "staged", root / "_build" / "html"
    restore(book)
    now = f"{fingerprint(root, BOOK)} {records_name(root)}"  # which knows the variables too
    if is_made_from(now, book):
        print(f"Book: nothing has changed. Open {book / 'index.html'}")
        return 0
    # What executes and renders takes seconds to import, so only where there is something to do.
    from execute_chapters import execute_book
    from render_pages import render

    print("Book: executing the pages whose code, data or pins changed", flush=True)
    failed = execute_book(root)
    if not failed:
        print("Book: rendering the pages", flush=True)
        failed = render(root, staged)
    seconds = time.monotonic() - start
    if failed:
        stands = (
            "the book that passed before stands as it was" if book.exists() else "there is none"
        )
        print(f"\n{failed}\n\nBook: FAILED after {seconds:.0f} s; in {book} {stands}", flush=True)
        return 1
    (staged / MADE_FROM).write_text(now)
    put_in_place(staged, book)
    print(f"Book: built in {seconds:.0f} s. Open {book / 'index.html'}")
    return 0


def is_made_from(state: str, book: Path) -> bool:
    """Whether there is a book that was made from just this."""
    mark = book / MADE_FROM
    return mark.exists() and mark.read_text() == state


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
