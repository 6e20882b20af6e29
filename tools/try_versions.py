"""Run the tests of theory and plans with the lowest versions that are promised, or the newest.

``python tools/try_versions.py lowest`` installs the lower bounds of pyproject.toml, beside the
Python that runs it; ``newest`` what an index has now, beside the newest Python that is promised.
They are downloaded, some gigabytes with torch's own, into an environment that is removed again: so
this is no stage of ``make test``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("lab", "hugging-face")  # without those of texts, which these tests do not read
RUNNERS = ("pytest", "hypothesis")
TESTS = (
    "tests/theory",
    "tests/inspection",
    "tests/parametrization",
    "--ignore=tests/parametrization/test_mup.py",  # needs mup, of which nothing is promised
    # Counts the architectures of the version of transformers that is pinned.
    "--deselect=tests/parametrization/test_resize.py::test_no_list_of_blocks_ends_in_a_traceback",
)


def pins() -> list[str]:
    """The test runners as requirements.txt pins them: of these nothing is promised."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.startswith(tuple(f"{r}==" for r in RUNNERS))]


def newest_python() -> str:
    """The newest Python that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line.rpartition(" :: ")[2] for line in project["classifiers"]]
    minors = [int(word.removeprefix("3.")) for word in named if word.startswith("3.")]
    return f"3.{max(minors)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests named, or those of theory and plans; return their exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("which", choices=("lowest", "newest"))
    parser.add_argument("--python", help="another than the usual one")
    parser.add_argument("tests", nargs="*", help="in place of those of theory and plans")
    args = parser.parse_args(arguments)
    lowest = args.which == "lowest"
    usual = sys.executable if lowest else newest_python()
    resolution = "lowest-direct" if lowest else "highest"
    uv = [sys.executable, "-m", "uv", "--quiet"]
    with TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([*uv, "venv", "--python", args.python or usual, folder], check=True)
        install = [*uv, "pip", "install", "--python", python, "--resolution", resolution]
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        wanted = ["-r", ROOT / "pyproject.toml", *extras, *pins()]
        subprocess.run([*install, *wanted], check=True, cwd=ROOT)
        subprocess.run([*uv, "pip", "list", "--python", python], check=True)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(args.tests or TESTS)]
        own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=ROOT, env=os.environ | own).returncode


if __name__ == "__main__":
    sys.exit(main())
