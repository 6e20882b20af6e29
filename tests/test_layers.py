"""Imports point down: no module knows of one above it, and none goes round in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import experiments
import specmup

ROOT = Path(specmup.__file__).parent
BOOK = Path(experiments.__file__).parent
# From the ground up.
LAYERS = (
    *("streams", "extras", "theory", "norms", "models", "optimizers", "parametrization"),
    *("runs", "data", "training", "probes", "analysis", "figures", "sweeps", "cli"),
)
TOP = ("__init__", "__main__")
LIBRARY = sorted(ROOT.rglob("*.py"))
ALL = [*LIBRARY, *sorted(BOOK.rglob("*.py"))]


def dotted(path: Path) -> str:
    base = ROOT if path.is_relative_to(ROOT) else BOOK
    parts = path.relative_to(base.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in ALL}


def imported(path: Path) -> set[str]:
    """Our modules that a module imports, wherever in it the import stands, also for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & MODULES.keys()) or {node.module}
    return found & MODULES.keys()


def layer(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize("path", LIBRARY, ids=dotted)
def test_a_module_imports_from_its_own_layer_and_those_below(path):
    own, below = layer(dotted(path)), imported(path)
    assert not any(name.startswith("experiments") for name in below), "the library knows no chapter"
    if own in TOP:
        return
    assert own in LAYERS, f"{own} is a new layer: give it its place in LAYERS"
    below.discard("specmup")  # its version
    assert not {n for n in below if LAYERS.index(layer(n)) > LAYERS.index(own)}


def test_no_module_imports_itself_by_way_of_others():
    graph = {name: imported(path) for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names them
    assert len(order) == len(MODULES) > 100


def test_experiments_stand_on_instruments_and_what_reads_them_knows_none():
    for name, path in MODULES.items():
        ours = {n for n in imported(path) if n.startswith("experiments")}
        if name.startswith("experiments.instruments"):
            assert all(n.startswith("experiments.instruments") for n in ours), name
        if name.startswith("experiments.reading"):
            assert all(
                n.startswith(("experiments.instruments", "experiments.reading")) for n in ours
            )
