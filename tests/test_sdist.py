"""What an index has of a release: an sdist with all that its tests read, and texts about it."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from specmup import __version__

ROOT = Path(__file__).resolve().parents[1]
MADE = (".git", ".venv", "_build", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
# Of the library, the book and the tools, and quick.
TESTS = ("tests/test_layers.py", "tests/book/test_tools.py")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder of an sdist, built from a copy and unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    source = shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*MADE))
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder]
    subprocess.run([*build, source], check=True, capture_output=True)
    with tarfile.open(folder / f"specmup-{__version__}.tar.gz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
        archive.extractall(folder)
    return folder / f"specmup-{__version__}"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_an_sdist_holds_every_file_of_the_repository(unpacked):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    assert tracked.returncode == 0
    missing = {name for name in tracked.stdout.splitlines() if not (unpacked / name).is_file()}
    assert missing == {".gitignore"}


def test_the_tests_of_an_unpacked_sdist_run(unpacked):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=unpacked, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_texts_about_a_release_name_its_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, released = re.findall(r"^## \[(.+?)\]", changes, re.MULTILINE)[:2]
    assert newest == "Unreleased"
    if Version(__version__).is_devrelease:
        assert Version(__version__) > Version(released)
    else:
        assert __version__ == released
