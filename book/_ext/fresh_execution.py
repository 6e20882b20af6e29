"""Sphinx extension: re-execute the chapters when anything that they compute with has changed.

The execution cache that comes with the book builder compares cells, not what the cells import or
read, so an edit to the package would leave old results in new pages. Here the cache lives in a
folder named by a fingerprint of everything outside the cells that a result depends on, and Sphinx
is told to read all pages again when the fingerprint changes.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a fingerprint is taken before anything that is slow to import
    from sphinx.application import Sphinx
    from sphinx.config import Config

# What a chapter's result depends on besides its own cells, and what a page's look depends on.
INPUTS = (
    *("specmup", "book/experiments", "book/data", "book/results", "book/replication"),
    *("book/sweeps", "requirements.txt"),
)
LOOKS = ("book/_static", "book/_ext", "book/_templates")
# All that a book is made from: one of the same need not be built.
BOOK = ("_config.yml", "_toc.yml", "book", "chapters", "specmup", "tools", "requirements.txt")
# By which a processor can be told to round as another one would.
ROUNDING = ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
# By which a page reads other results, draws other numbers, or passes though a claim fell. They are
# streams.VARIABLE, results.FOLDER_VARIABLE and claims.JUDGE, whose modules are slow to import.
DECIDING = ("SPECMUP_STREAMS", "SPECMUP_RESULTS", "SPECMUP_JUDGE")
LEFT_OUT = {"__pycache__", ".ipynb_checkpoints", "specmup_book.egg-info"}


def files_under(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Every file that counts, in a fixed order."""
    for name in names:
        path = root / name
        files = [path] if path.is_file() else path.rglob("*")
        yield from sorted(f for f in files if f.is_file() and not LEFT_OUT & set(f.parts))


def fingerprint(root: Path, names: tuple[str, ...] = INPUTS) -> str:
    """Hash of the Python version and of each file's path and content."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path in files_under(root, names):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(root).as_posix()} {content}".encode())
    return digest.hexdigest()


def records_name(root: Path) -> str:
    """Name of the folder that keeps what was executed with the present code, data and pins.

    Another instruction set rounds otherwise: what was executed with one has not passed with it.
    Nor has what was executed with other results; these count with their content.
    """
    told = [f"{name}={os.environ[name]}" for name in ROUNDING + DECIDING if name in os.environ]
    if elsewhere := os.environ.get("SPECMUP_RESULTS"):
        told.append(fingerprint(root / "chapters" / elsewhere, ("",)))  # where the kernels run
    return hashlib.sha256("\n".join([fingerprint(root), *told]).encode()).hexdigest()[:16]


def key_cache(app: Sphinx, config: Config) -> None:
    """Point the notebook executor at what was executed with the present inputs."""
    root = Path(app.srcdir)
    config.book_inputs = records_name(root)
    config.book_looks = fingerprint(root, LOOKS)
    config.nb_execution_cache_path = str(Path(app.outdir).parent / "executed" / records_name(root))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    # Another value makes Sphinx read, and so execute, every page again ("env"), or write it again
    # ("html"): without that it would not even copy an edited style sheet.
    app.add_config_value("book_inputs", "", rebuild="env", types=(str,))
    app.add_config_value("book_looks", "", rebuild="html", types=(str,))
    app.connect("config-inited", key_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
