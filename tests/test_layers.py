"""Imports point down: no module knows of one above it, and none goes round in a circle."""

from graphlib import TopologicalSorter

import pytest
from modules import MODULES, imported

from experiments.__main__ import names

# From the ground up.
LAYERS = (
    *(
        "streams",
        "extras",
        "foreign",
        "aligned",
        "theory",
        "norms",
        "models",
        "optimizers",
        "tracing",
    ),
    *("inspection", "parametrization", "auditing"),
    *("runs", "data", "training", "probes", "analysis", "figures", "sweeps", "cli"),
)
TOP = ("__init__", "__main__")
BOOK = ("experiments", "diagrams")
LIBRARY = [name for name in MODULES if name.startswith("specmup")]


def layer(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize("name", LIBRARY)
def test_a_module_imports_from_its_own_layer_and_those_below(name):
    own, below = layer(name), imported(name) - {"specmup"}  # its version
    assert not any(name.startswith(BOOK) for name in below), "the library knows no chapter"
    if own in TOP:
        return
    assert own in LAYERS, f"{own} is a new layer: give it its place in LAYERS"
    assert not {n for n in below if LAYERS.index(layer(n)) > LAYERS.index(own)}


def test_no_module_imports_itself_by_way_of_others():
    graph = {name: imported(name) for name in MODULES}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names them
    assert len(order) == len(MODULES) > 100


# Where the name of an optimizer enters: from a caller, a file, a table. Behind them goes its law.
BORDERS = {
    *("theory.rules", "theory.counts", "theory.departures"),
    *("optimizers.registry", "training.replicas"),
    *("parametrization.plan", "parametrization.plan_optimizer"),
    *("sweeps.configuration", "sweeps.options", "sweeps.run", "sweeps.figure"),
}


def test_a_name_becomes_an_update_law_where_it_enters_and_nowhere_else():
    looks_up = {
        name.removeprefix("specmup.")
        for name in LIBRARY
        if "update_law(" in MODULES[name].read_text("utf-8")
    }
    assert looks_up - {"theory.update"} == BORDERS


def test_a_diagram_imports_the_library_and_what_all_are_drawn_with():
    for name in MODULES:
        if name.startswith("diagrams.") and not name.endswith("__main__"):
            ours = {n for n in imported(name) if n.startswith(BOOK)}
            assert all(n.startswith("diagrams.drawing") for n in ours), name


# What experiments share; a room imports from those above it in this list, never below.
SHARED = (
    *("experiments.declared", "experiments.small_gpt", "experiments.brief_gpt"),
    *("experiments.instruments", "experiments.reading"),
)


def test_no_experiment_imports_another():
    for name in names():
        ours = {n for n in imported(f"experiments.{name}") if n.startswith("experiments")}
        assert not {n for n in ours if not n.startswith(SHARED)}, name


@pytest.mark.parametrize("room", range(len(SHARED)))
def test_what_experiments_share_knows_none(room):
    for name in MODULES:
        if name.startswith(SHARED[room]):
            ours = {n for n in imported(name) if n.startswith("experiments")}
            assert not {n for n in ours if not n.startswith(SHARED[: room + 1])}, name
