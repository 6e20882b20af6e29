"""Chapter 7's experiment: what it records, and that what it finds can fail."""

import numpy as np
import pytest

from experiments.assumptions import EXPERIMENT, train_and_measure, two_classes

SMALL = {"part": "test", "width": 16, "depth": 4, "samples": 10, "seeds": [0, 1]}
RATIOS = ["weight_kept", "feature_kept", "samples_agree", "reach"]


@pytest.fixture(scope="module")
def frame():
    return train_and_measure(**SMALL, steps=10)


def test_a_row_a_seed_step_and_map(frame):
    assert len(frame) == 2 * 5 * 3  # seeds, steps 0 1 2 5 10, maps
    assert (frame.groupby("step").layer.nunique() == 3).all()
    assert np.isfinite(frame.select_dtypes("number")).all(axis=None)
    assert ((frame[RATIOS] > 0) & (frame[RATIOS] < 1.02)).all(axis=None)
    losses = frame.groupby("step").loss.mean()
    assert losses[10] < losses[0]


def test_batches_of_one_make_the_way_longer(frame):
    noisy = train_and_measure(**SMALL, steps=10, batch=1)
    ends = [f[(f.step == 10) & (f.layer == "map 1")].weight_straight for f in (frame, noisy)]
    assert ends[0].min() > 0.9 > 0.8 > ends[1].max()


def test_a_last_map_of_zeros_silences_the_first_map_for_one_step():
    frame = train_and_measure(**SMALL, steps=2, zero_last=True)
    first = frame[frame.layer == "map 1"].groupby("step")
    assert (first.get_group(0)[["update", "outputs_add"]] == 0).all(axis=None)
    assert (first.get_group(1)["update"] > 0).all()


def test_a_low_bias_shuts_the_relu():
    frame = train_and_measure(**SMALL, steps=2, bias=-8.0)
    assert (frame[frame.layer == "map 1"].passed_on < 0.01).all()


def test_too_many_samples_are_refused():
    with pytest.raises(ValueError, match="there are"):
        two_classes(1000)


def test_a_diverged_run_is_infinite():
    frame = train_and_measure(**SMALL, steps=20, faster=1e9)
    assert np.isposinf(frame[frame.step == 20].loss).all()
    assert not frame.isna().any(axis=None)


def test_quick_scale_has_every_depth():
    frame = EXPERIMENT.run("quick").frame
    assert sorted(frame.depth.unique()) == [4, 8, 16]
