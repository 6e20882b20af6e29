"""Install the lowest versions that pyproject.toml promises, and run the tests of theory and plans.

It downloads them, some gigabytes with torch's own, into an environment that it removes again: so it
is no stage of ``make test``.
"""

from __future__ import annotations

import os
import subprocess
import sys
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


def main(tests: list[str]) -> int:
    """Run the tests named, or those of theory and plans; return their exit status."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    with TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        lowest = [*uv, "pip", "install", "--python", python, "--resolution", "lowest-direct"]
        extras = [word for extra in EXTRAS for word in ("--extra", extra)]
        wanted = ["-r", ROOT / "pyproject.toml", *extras, *pins()]
        subprocess.run([*lowest, *wanted], check=True, cwd=ROOT)
        subprocess.run([*uv, "pip", "list", "--python", python], check=True)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(tests or TESTS)]
        own = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=ROOT, env=os.environ | own).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
