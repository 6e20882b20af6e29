"""A step taken apart: each part's own change, and the step itself as it would have been."""

import pytest
import torch
from torch import nn

from experiments.instruments.step_apart import direction, step_apart

NAMES = ("0.weight", "1.weight")


@pytest.fixture
def trained():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Linear(5, 3, bias=False)), torch.eye(4)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    gradients = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    moves = {name: lambda gradient: 0.1 * gradient for name in NAMES}
    parts = {"first": NAMES[:1], "both": NAMES}
    changes = step_apart(model, lambda: model(x), lambda: model(x).square().sum(), moves, parts)
    after = {n: before[n] - 0.1 * g for n, g in zip(NAMES, gradients, strict=True)}
    return model, before, after, changes


def test_the_step_is_taken(trained):
    model, _, after, _ = trained
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), after[name])


def test_a_part_moves_the_features_alone(trained):
    _, before, after, changes = trained
    old = (before[NAMES[1]] @ before[NAMES[0]]).mT
    first = (before[NAMES[1]] @ after[NAMES[0]]).mT
    both = (after[NAMES[1]] @ after[NAMES[0]]).mT
    for part, new in (("first", first), ("both", both)):
        assert changes[part] == pytest.approx((new - old).square().mean().sqrt().item(), rel=1e-4)


def test_directions_are_those_of_a_first_step():
    gradient = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1))
    gradient[1] = 0  # an expert that no sample met
    assert torch.equal(direction("sgd", gradient), gradient)
    assert torch.equal(direction("adamw", gradient), gradient.sign())
    step = direction("muon", gradient)
    singular = torch.linalg.svdvals(step[0])
    assert ((0.5 < singular) & (singular < 1.3)).all() and not step[1].any()
    rows = direction("muon", gradient, rows=True)
    torch.testing.assert_close(rows[0].norm(dim=-1), torch.ones(6))
    with pytest.raises(ValueError, match="no direction for 'lion'"):
        direction("lion", gradient)
