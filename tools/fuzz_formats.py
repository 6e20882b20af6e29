"""Every format that is read, given what nobody wrote: it is taken, or refused in one line.

``python tools/fuzz_formats.py 100000`` tries that many cases of all formats together; ``--seed``
chooses others. ``tests/test_fuzz.py`` tries a few hundred of each with every run of the tests. A
case is a sound document of which one value, or some bytes, are replaced.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_documents import formats
from hypothesis import HealthCheck, given, seed, settings


def clean(read: Callable[[], object]) -> None:
    """Let something be read, or refused in one line that shows as it is; all else is raised."""
    try:
        read()
    except (ValueError, OSError) as problem:
        line = " ".join(str(problem).split())
        assert line and len(line) < 3000, "a refusal of no or too many words"


def fuzz(name: str, folder: Path, cases: int, start: int | None = None) -> int:
    """Try cases of one format in a folder; return how many were tried.

    Args:
        name: Of :func:`formats`.
        folder: An empty one, the working folder meanwhile.
        cases: How many.
        start: Of the random numbers; as hypothesis is set up, if None.
    """
    documents, read = formats(folder)[name]
    tried = 0

    @settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(documents)
    def case(document: Any) -> None:
        nonlocal tried
        tried += 1
        clean(lambda: read(document))

    with contextlib.chdir(folder):
        (case if start is None else seed(start)(case))()
    return tried


NAMES = (
    *("TOML, values", "TOML, bytes", "records", "manifests", "tables", "token files"),
    *("plans", "plans, bytes", "command lines"),
)


def main() -> int:
    """Try so many cases of every format; 1 if one is not clean."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=int, nargs="?", default=100_000, help="of all formats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=NAMES, help="this one alone")
    asked = parser.parse_args()
    names = [asked.format] if asked.format else NAMES
    failed = total = 0
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                tried = fuzz(name, Path(folder), asked.cases // len(names), asked.seed)
            except Exception as problem:
                failed += 1
                print(f"{name}: {type(problem).__name__}: {problem}", flush=True)
                for note in getattr(problem, "__notes__", ()):
                    print(note, file=sys.stderr)
                continue
        total += tried
        print(f"{name}: {tried} cases clean, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{total} cases clean; {failed} formats have one that is not")
    return int(bool(failed))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
