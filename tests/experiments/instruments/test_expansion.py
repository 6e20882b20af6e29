"""The expansion of a step: exact for every activation, block depth and stack."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.instruments.expansion import Snapshot, expand_step
from specmup.models.resnet import ResNet, ResNetShape

MULTIPLIERS = {"input": 1.0, "hidden": 0.3, "output": 1.0}


def moved_model(block_depth, activation, bias, replicas, seed, size=0.3):
    """A random float64 model, its snapshot, and a random step taken on it."""
    torch.manual_seed(seed)
    shape = ResNetShape(5, 8, 3, 2, block_depth, activation, bias=bias)
    model = ResNet(shape, MULTIPLIERS, replicas).double()
    x = torch.randn(4, 5, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.4 * torch.randn_like(parameter))
        before = Snapshot.of(model, x)
        for parameter in model.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return model, before, x


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4),
    st.sampled_from(["linear", "relu", "abs"]),
    st.booleans(),
    st.sampled_from([None, 1, 3]),
    st.integers(0, 1000),
)
def test_the_terms_add_up_to_the_change(block_depth, activation, bias, replicas, seed):
    model, before, x = moved_model(block_depth, activation, bias, replicas, seed)
    expansion = expand_step(model, before, x)
    assert len(expansion.terms) == 2**block_depth
    assert expansion.change.abs().max() > 1e-3
    assert expansion.remainder().abs().max() < 1e-12


def test_for_linear_maps_each_term_is_the_product_with_its_maps_replaced():
    model, before, x = moved_model(2, "linear", bias=False, replicas=None, seed=0)
    expansion = expand_step(model, before, x)
    after = Snapshot.of(model, x)
    for block in range(3):
        (w1, w2), _ = before.blocks[block]
        (v1, v2), _ = after.blocks[block]
        d1, d2, h = v1 - w1, v2 - w2, after.features[block]
        for subset, product in {(1,): w2 @ d1, (2,): d2 @ w1, (1, 2): d2 @ d1}.items():
            expected = 0.3 * h @ product.mT
            torch.testing.assert_close(expansion.terms[subset][block], expected)


def test_the_orders_shrink_with_the_step_as_their_powers():
    """Halving ΔW divides the order-j term by 2^j: a mislabelled order would be seen."""
    blocks = {}
    for size in (1e-3, 2e-3):
        model, before, x = moved_model(2, "linear", False, None, seed=1, size=size)
        frame = expand_step(model, before, x).sizes().set_index("order")
        blocks[size] = frame["block"]
    ratio = blocks[2e-3] / blocks[1e-3]
    assert ratio[1] == pytest.approx(2, rel=0.05)
    assert ratio[2] == pytest.approx(4, rel=0.05)


def test_no_step_no_terms():
    model, before, x = moved_model(2, "relu", True, 2, seed=0, size=0.0)
    assert expand_step(model, before, x).sizes()[["block", "total"]].to_numpy().max() == 0


def test_leaving_a_term_out_is_noticed():
    model, before, x = moved_model(2, "relu", False, None, seed=0)
    expansion = expand_step(model, before, x)
    del expansion.terms[(1, 2)]
    assert expansion.remainder().abs().max() > 1e-3
