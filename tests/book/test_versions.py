"""``make lowest`` and ``make newest`` install what is promised and run tests; CI has no room."""

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
import try_versions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = try_versions.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = {"specmup", "experiments"} | {p.stem for p in (ROOT / "tests").rglob("*.py")}


def promised(extras=PROJECT["optional-dependencies"]):
    named = [*PROJECT["dependencies"], *(d for e in extras for d in extra_of(e))]
    return [Requirement(one) for one in named if not one.startswith("specmup[")]


def extra_of(name):
    return PROJECT["optional-dependencies"][name]


@pytest.fixture
def commands(monkeypatch):
    """The commands that it would run, of which the last one fails."""
    told = []

    def run(command, **options):
        told.append(([str(word) for word in command], options))
        return SimpleNamespace(returncode=3 if "pytest" in command else 0)

    monkeypatch.setattr(try_versions.subprocess, "run", run)
    return told


@pytest.mark.parametrize("requirement", promised(), ids=str)
def test_every_dependency_has_a_lowest_version(requirement):
    assert any(bound.operator in (">=", "==") for bound in requirement.specifier)


@pytest.mark.parametrize(
    ("which", "resolution", "python"),
    [("lowest", "lowest-direct", sys.executable), ("newest", "highest", "3.13")],
)
def test_versions_are_installed_and_the_tests_status_returned(commands, which, resolution, python):
    assert try_versions.main([which]) == 3
    (make, made), (words, put), _, (test, ran) = commands
    assert made["check"] and put["check"]
    assert make[make.index("--python") + 1] == python
    assert words[words.index("--resolution") + 1] == resolution
    assert words[words.index("-r") + 1] == str(ROOT / "pyproject.toml")
    assert [words[i + 1] for i, w in enumerate(words) if w == "--extra"] == [*try_versions.EXTRAS]
    pins = [word.partition("==")[0] for word in words if "==" in word]
    assert pins == [*try_versions.RUNNERS]
    # Another python than ours, which finds the package as it stands here.
    assert test[0] == words[words.index("--python") + 1] != sys.executable
    assert ran["env"]["PYTHONPATH"] == str(ROOT) == str(ran["cwd"])


def test_tests_that_are_named_take_the_place_of_all(commands):
    try_versions.main(["lowest", "tests/theory/test_order.py"])
    assert commands[-1][0][-1] == "tests/theory/test_order.py"
    try_versions.main(["lowest"])
    assert commands[-1][0][-len(try_versions.TESTS) :] == [*try_versions.TESTS]


def files():
    named = {word.partition("=")[2] for word in try_versions.TESTS if word.startswith("--ignore=")}
    folders = [ROOT / word for word in try_versions.TESTS if not word.startswith("--")]
    assert all(folder.is_dir() for folder in folders) and all((ROOT / n).is_file() for n in named)
    shared = [ROOT / "tests" / "conftest.py"]
    tests = [path for folder in folders for path in folder.rglob("*.py")]
    return [p for p in [*shared, *tests] if str(p.relative_to(ROOT)) not in named]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_they_import_nothing_but_what_is_installed(path):
    installed = {canonicalize_name(r.name) for r in promised(try_versions.EXTRAS)}
    installed |= set(try_versions.RUNNERS)
    for name in imported(path) - OURS - set(sys.stdlib_module_names):
        assert installed & {canonicalize_name(home) for home in homes()[name]}, name


homes = cache(packages_distributions)


def imported(path: Path) -> set[str]:
    """First words of what a file imports when it is read, not in its functions."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_what_is_left_out_is_there():
    for word in try_versions.TESTS:
        if word.startswith("--deselect="):
            path, _, name = word.removeprefix("--deselect=").partition("::")
            assert f"def {name}(" in (ROOT / path).read_text("utf-8")
