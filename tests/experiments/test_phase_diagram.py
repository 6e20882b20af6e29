"""Chapter 8's phase diagram: what it runs, and that its claim can fail."""

from itertools import product

import pandas as pd
import pytest

from experiments.phase_diagram import SCALES, run, train_and_measure
from experiments.reading.depthwise import phase
from experiments.reading.phases import DepthExponents, classify


def test_quick_is_a_slice_of_reference():
    quick, reference = SCALES["quick"], SCALES["reference"]
    assert all(set(quick[axis]) <= set(reference[axis]) for axis in quick)


def test_the_grid_meets_every_phase():
    grid = SCALES["reference"]
    found = {phase(*point) for point in product(grid["alphas"], grid["gammas"])}
    assert len(found) == 6


@pytest.mark.parametrize(
    ("alpha", "gamma"), [("1/2", "1/2"), ("1", "0"), ("5/4", "-1/4"), ("1", "1"), ("1/2", "0")]
)
def test_the_phase_is_measured(alpha, gamma):
    measured = pd.concat(
        train_and_measure(alpha=alpha, gamma=gamma, depth=depth, seeds=[0, 1, 2])
        for depth in (16, 32, 64, 128)
    )
    assert classify(DepthExponents.of(measured), tolerance=0.15) == phase(alpha, gamma)


def test_a_row_a_seed(tmp_path):
    frame = run("quick", tmp_path).frame
    grid = SCALES["quick"]
    assert len(frame) == len(list(product(*grid.values())))
    assert (frame[["start", "change", "preactivation"]] > 0).all(axis=None)
    assert len(list((tmp_path / "runs").iterdir())) == len(frame) / 2
