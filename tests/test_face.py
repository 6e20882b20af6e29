"""The package's face: cheap to import, complete, and its examples run."""

import ast
import doctest
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import specmup

NAMES = [name for name in specmup.__all__ if not name.startswith("_")]


def test_nothing_heavy_is_loaded_before_it_is_asked_for():
    code = """
import sys, specmup
print([m for m in ("torch", "numpy", "sympy") if m in sys.modules])
specmup.make_plan, specmup.make_optimizer
print("pytorch_optimizer" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n") == ["[]", "False", ""]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_documented_by_an_example(name):
    found = getattr(specmup, name)
    assert found.__name__ == name and inspect.getdoc(found)
    if name not in ("Audit", "Plan", "Rules"):  # they come out of audit, make_plan and rules
        assert ">>>" in inspect.getdoc(found)


def with_examples() -> list[str]:
    root = Path(specmup.__file__).parent
    found = [path for path in root.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in found]
    return sorted(name.removesuffix(".__init__") for name in names)


@pytest.mark.parametrize("name", with_examples())
def test_examples_in_docstrings_run(name):
    outcome = doctest.testmod(import_module(name))
    assert outcome.failed == 0 < outcome.attempted


def test_type_checkers_see_the_same_names():
    (guarded,) = [n for n in ast.parse(inspect.getsource(specmup)).body if isinstance(n, ast.If)]
    homes = {n.names[0].name: n.module.removeprefix("specmup.") for n in guarded.body}
    assert homes == specmup._HOMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'make_plans'"):
        _ = specmup.make_plans
    assert set(dir(specmup)) == set(specmup.__all__)
