"""Gated branches: the formula, and that a step falls apart into products of old maps and new."""

import pytest
import torch
from torch.nn import functional as F

from experiments.instruments.expansion import Snapshot, expand_step
from experiments.instruments.gated import GatedResNet, NormalisedResNet, SiLUGatedResNet
from specmup.models.resnet import ResNetShape, build_as
from specmup.training.scaling import Settings

SETTINGS = {
    "input": Settings(0.5, 0.1),
    "hidden": Settings(0.3, 0.1, 0.7),
    "output": Settings(0.5, 0.1),
}
SHAPE = ResNetShape(3, 6, 4, 2, block_depth=3, activation="linear")


def normed(h):
    return h / h.square().mean(-1, keepdim=True).sqrt()


@pytest.mark.parametrize(
    ("network", "opened"), [(GatedResNet, lambda g: g), (SiLUGatedResNet, F.silu)]
)
def test_forward_is_the_formula(network, opened):
    model = build_as(network, SHAPE, SETTINGS, [0, 1]).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    h = x @ model.input.mT
    for block in range(SHAPE.depth):
        gate, up, down = model.hidden[:, block].unbind(1)
        inside = opened(normed(h) @ gate.mT) * (normed(h) @ up.mT)
        h = h + 0.7 * inside @ down.mT
    torch.testing.assert_close(model(x), h @ model.output.mT)


def test_maps_in_a_row_read_normalised_features():
    model = build_as(NormalisedResNet, SHAPE, SETTINGS, 0).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    h = x @ model.input.mT
    for one, two, three in model.hidden:
        h = h + 0.7 * normed(h) @ one.mT @ two.mT @ three.mT
    torch.testing.assert_close(model(x), h @ model.output.mT)


@torch.no_grad()
def test_a_step_falls_apart_into_products_of_old_maps_and_updates():
    model = build_as(GatedResNet, SHAPE, SETTINGS, 0).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    before = Snapshot.of(model, x)
    step = 0.1 * torch.randn(model.hidden.shape, dtype=torch.float64)
    model.hidden += step
    expansion = expand_step(model, before, x)
    assert expansion.remainder().abs().max() < 1e-12
    for block in range(SHAPE.depth):
        h = normed(model.features(x)[block])
        for moved, term in expansion.terms.items():
            if not moved:
                continue
            gate, up, down = (
                step[block, i] if i + 1 in moved else before.blocks[block][0][i] for i in range(3)
            )
            product = 0.7 * ((h @ gate.mT) * (h @ up.mT)) @ down.mT
            torch.testing.assert_close(term[block], product)


@pytest.mark.parametrize("wrong", [{"block_depth": 2}, {"bias": True}])
def test_other_branches_are_refused(wrong):
    shape = ResNetShape(3, 6, 4, 2, **{"block_depth": 3, **wrong})
    with pytest.raises(ValueError, match="gate, up and down"):
        build_as(GatedResNet, shape, SETTINGS, 0)(torch.randn(5, 3))
