"""Chapter 8's feature diversity: what it runs, and that its claims can fail."""

import numpy as np
import pytest
import torch

from experiments.feature_diversity import KEPT, neighbour_likeness, train_and_measure
from specmup.models.residual import ACTIVATIONS


def measured(activation="abs", placement="post", alpha="1/2", depth=64, steps=5):
    frame = train_and_measure(
        activation=activation,
        placement=placement,
        alpha=alpha,
        depth=depth,
        seeds=[0, 1],
        steps=steps,
    )
    return frame[frame.steps == steps]


@pytest.mark.parametrize("activation", KEPT)
def test_what_an_activation_keeps(activation):
    z = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    phi = ACTIVATIONS[activation](z)
    assert phi.var().item() == pytest.approx(KEPT[activation], rel=0.01)


def test_gradients_of_neighbours():
    """An absolute value's signs make them unlike; half of ReLU's agree; before the map, all do."""
    assert abs(measured().likeness.mean()) < 0.1
    assert 0.4 < measured("relu").likeness.mean() < 0.7
    assert measured("abs", "pre").likeness.mean() > 0.9
    assert measured("linear").likeness.mean() > 0.9


def test_likeness_of_known_gradients():
    one, other = torch.eye(3), torch.ones(3, 3)
    gradients = torch.stack([one, one, other])[None, :, None]  # (R, L, 1, n, n)
    expected = (1 + 3 / (3**0.5 * 3)) / 2
    assert neighbour_likeness(gradients).tolist() == pytest.approx([expected])


def test_increments_grow_like_a_root_under_depth_mup():
    increments = measured().groupby("part").increment.mean()
    slope = np.polyfit(np.log(increments.index), np.log(increments), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.05)
    redundant = measured(alpha="1", steps=20).groupby("part").increment.mean()
    assert np.polyfit(np.log(redundant.index), np.log(redundant), 1)[0] > slope + 0.05
