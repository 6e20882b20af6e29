"""Build the book strictly: every chapter executed, every warning an error.

A build that ends with warnings leaves its parsed pages behind, and Sphinx would call the next run
clean because nothing changed. So parsed pages are trusted only after a build that passed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
PASSED = BUILD / "passed"
INDEX = BUILD / "html" / "index.html"


def main() -> int:
    """Build ``_build/html``; return the exit status."""
    if not PASSED.exists():
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    PASSED.unlink(missing_ok=True)
    print("Book: executing chapters whose code, data or pins changed, then rendering", flush=True)
    start = time.monotonic()
    strict = ["-n", "-W", "--keep-going"]  # missing references warn, warnings fail, all are shown
    program = Path(sys.executable).with_name("jupyter-book")
    status = subprocess.run([program, "build", ROOT, *strict], cwd=ROOT).returncode
    seconds = time.monotonic() - start
    if status:
        print(f"Book: FAILED after {seconds:.0f} s; warnings above are errors", file=sys.stderr)
        return 1
    PASSED.touch()
    print(f"Book: built in {seconds:.0f} s. Open {INDEX}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
