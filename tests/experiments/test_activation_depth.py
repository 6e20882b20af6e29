"""Chapter 8's losses over depth: what it runs, and that its networks start alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.activation_depth import BASE_DEPTH, EXPERIMENT, WIDTH, base
from specmup.models.resnet import ResNetShape, build


@pytest.mark.parametrize("activation", ["abs", "relu"])
@pytest.mark.parametrize("placement", ["pre", "post"])
def test_branches_start_equally_large(activation, placement):
    shape = ResNetShape(
        *(128, WIDTH, BASE_DEPTH, 10, 1, activation),
        mean_subtraction=activation != "linear",
        placement=placement,
    )
    model = build(shape, base(activation).settings, list(range(200)))
    x = torch.randn(16, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        stream = model.features(x)
    first, branch = stream[0].square().mean(), (stream[1] - stream[0]).square().mean()
    assert (branch / first).item() == pytest.approx(1 / BASE_DEPTH, rel=0.06)


def test_a_smaller_start_changes_the_weights_alone():
    usual, small = base("abs").settings, base("abs", 0.5).settings
    assert small["hidden"] == replace(usual["hidden"], std=usual["hidden"].std / 2)
    assert all(small[role] == usual[role] for role in ("input", "output"))


def test_a_row_a_run(tmp_path):
    frame = EXPERIMENT.run("quick", tmp_path).frame
    assert len(frame) == 2 * 2 * 2 * 2  # cases, depths, rates, seeds
    assert set(frame.placement) == {"pre", "post"}
    assert np.isfinite(frame.loss).all()
    post, pre = (rows.loss.to_numpy() for _, rows in frame.groupby("placement", sort=False))
    assert (post != pre).all()
