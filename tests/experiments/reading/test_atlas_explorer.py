"""What the explorer of the atlas is told: exponents, predictions and verdicts, cell by cell."""

import json
import re

import pytest

from experiments.reading.atlas_explorer import atlas_explorer
from experiments.reading.cells import Cell
from specmup.analysis.exponents import Exponents
from specmup.analysis.interval import Interval
from specmup.theory.order import Order


def cell(axis: str, estimate: float, role: str = "hidden_bias") -> Cell:
    measured = Interval(estimate, estimate - 0.1, estimate + 0.12345)
    size = {"width": None, "depth": None, axis: measured}
    fit = Exponents(**size, constant=0.0, widths=(64, 128), depths=(4, 8), seeds=3)
    return Cell("adamw", 2, role, axis, "update", fit.verdict(Order("1/2", "-1/2")))


def test_it_holds_each_cell_beside_its_prediction():
    element = atlas_explorer([cell("width", 0.5), cell("depth", 1.0)])
    told = json.loads(re.search(r'"application/json">(.*?)</script>', element.data)[1])
    assert told["places"] == [["hidden bias", "width"], ["hidden bias", "depth"]]
    assert told["predicted"] == {"2|update": [0.5, -0.5]}
    (cells,) = told["measured"].values()
    assert list(told["measured"]) == ["AdamW|2|update"]
    assert cells == [[0.5, 0.4, 0.623, 0], [1.0, 0.9, 1.123, 2]]
    assert [told["verdicts"][one[-1]] for one in cells] == ["agrees", "disagrees"]


def test_cells_that_do_not_fit_together_are_refused():
    other = cell("width", 0.5, "input")
    with pytest.raises(ValueError, match="0 lists of roles"):
        atlas_explorer([])
    stray = Cell("sgd", 2, "input", "width", "update", other.verdict)
    with pytest.raises(ValueError, match="2 lists of roles and axes: give"):
        atlas_explorer([cell("width", 0.5), stray])
