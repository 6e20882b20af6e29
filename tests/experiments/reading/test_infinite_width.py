"""The wide limit of one step, held against networks that take it."""

from math import exp

import numpy as np
import pytest
import torch

from experiments.reading.infinite_width import first_step
from specmup.analysis.fit import fit_exponents
from specmup.models.resnet import ResNetShape, build
from specmup.theory.order import WIDTH
from specmup.training.scaling import Settings

DEPTH, ALPHA, VARIANCE, RATE = 8, 8**-0.5, 0.7, 0.9


def finite(width, replicas):
    """Mean squares of h_L, of its change in one step, and the outputs' change, one a replica."""
    settings = {
        "input": Settings(std=1.0, learning_rate=0),
        "hidden": Settings(std=(VARIANCE / width) ** 0.5, learning_rate=0, multiplier=ALPHA),
        "output": Settings(std=1.0, learning_rate=0, multiplier=1 / width),
    }
    model = build(
        ResNetShape(1, width, DEPTH, 1, 1, "linear"), settings, [width + r for r in range(replicas)]
    )
    x = torch.ones(1, 1)
    with torch.no_grad():  # h_0 of mean square one exactly
        model.input /= model.input.square().mean((1, 2), keepdim=True).sqrt()
    before, output = model.features(x).detach(), model(x)
    (-output).sum().backward()
    with torch.no_grad():
        model.hidden -= RATE * model.hidden.grad
        change = model.features(x) - before
        moved = (model(x) - output).flatten()
    return before[-1].square().mean((1, 2)), change[-1].square().mean((1, 2)), moved


def test_finite_networks_approach_the_limit():
    limit = first_step(DEPTH, multiplier=ALPHA, learning_rate=RATE, variance=VARIANCE)
    expected = limit.size[-1], limit.change[-1], limit.output
    widths, squares = [32, 64, 128, 256], []
    for width in widths:
        measured = finite(width, replicas=160)
        pairs = zip(measured, expected, strict=True)
        squares.append([((m / e - 1) ** 2).mean().item() for m, e in pairs])
    for deviations in np.transpose(squares):
        fit = fit_exponents(np.sqrt(deviations), widths)
        assert fit.verdict(WIDTH ** "-1/2", tolerance=0.4).agrees, fit
        assert deviations[-1] < 0.05


def test_a_term_left_out_is_noticed():
    """Without the share of tr M in tr (W M Wᵀ)² wide networks do not approach the recursion."""
    limit = first_step(DEPTH, multiplier=ALPHA, learning_rate=RATE, variance=VARIANCE)
    growth = 1 + VARIANCE * ALPHA**2
    coherent = (limit.output) ** 2  # what is left: tr M² = (tr M)²
    assert growth > 1
    measured = finite(256, replicas=40)[1].mean().item()
    assert measured > 1.2 * coherent
    assert measured == pytest.approx(limit.change[-1], rel=0.1)


def test_limit_of_depth():
    """With α = 1/√L: e^c, and η²·e^{2c}·(1 + 2c/3); with α²η fixed and α = 1/L, no walk."""
    c, eta, L = 0.7, 0.9, 20_000
    deep = first_step(L, multiplier=L**-0.5, learning_rate=eta, variance=c)
    assert deep.size[-1] == pytest.approx(exp(c), rel=1e-3)
    assert deep.output == pytest.approx(eta * exp(c), rel=1e-3)
    assert deep.change[-1] == pytest.approx(eta**2 * exp(2 * c) * (1 + 2 * c / 3), rel=1e-3)
    redundant = first_step(L, multiplier=1 / L, learning_rate=eta * L, variance=c)
    assert redundant.change[-1] == pytest.approx(eta**2, rel=1e-3)


def test_no_block():
    with pytest.raises(ValueError, match="depth is 0"):
        first_step(0, multiplier=1.0)
