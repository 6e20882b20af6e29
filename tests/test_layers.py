"""Imports point down: no module of the package knows of one above it."""

import ast
from pathlib import Path

import pytest

import specmup

ROOT = Path(specmup.__file__).parent
# From the ground up.
LAYERS = (
    *("streams", "theory", "norms", "models", "optimizers", "apply", "lab"),
    *("sweeps", "experiments", "cli"),
)
TOP = ("__init__", "__main__")


def layer(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Layers that a module imports from, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "specmup":
            names = [f"specmup.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found |= {name.split(".")[1] for name in names if name.startswith("specmup.")}
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_from_its_own_layer_and_those_below(path):
    own = layer(path)
    if own in TOP:
        return
    assert own in LAYERS, f"{own} is a new layer: give it its place in LAYERS"
    above = {name for name in imported(path) if LAYERS.index(name) > LAYERS.index(own)}
    assert not above
