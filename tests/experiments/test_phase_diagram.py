"""Chapter 8's phase diagram: what it runs, and that its claim can fail."""

import pandas as pd
import pytest

from experiments.phase_diagram import EXPERIMENT, train_and_measure
from experiments.reading.depthwise import phase
from experiments.reading.phases import DepthExponents, classify


def test_the_grid_meets_every_phase():
    found = {phase(job["alpha"], job["gamma"]) for job in EXPERIMENT.jobs("reference")}
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
    frame = EXPERIMENT.run("quick", tmp_path).frame
    assert len(frame) == 3 * 4 * 2 * 2  # depths, alphas, gammas, seeds
    assert (frame[["start", "change", "preactivation"]] > 0).all(axis=None)
    assert len(list((tmp_path / "runs").iterdir())) == len(frame) / 2
