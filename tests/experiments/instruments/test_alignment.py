"""How well vectors line up: between its bounds, and as worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_matrices import matrices, normal, seeds

from experiments.instruments.alignment import addition_exponent, alignment, update_alignment


@settings(deadline=None)
@given(matrices(dtypes=(torch.float32, torch.float64), largest=15), seeds)
def test_alignment_is_between_0_and_1(W, seed):
    x = normal(4, W.shape[-1], seed=seed).to(W.dtype)
    share = alignment(W, x, tol=1e-4)
    assert share.shape == (*W.shape[:-2], 4)
    assert ((share >= 0) & (share <= 1 + 2e-4)).all()


def test_alignment_of_gradients_gaussians_and_nothing():
    h, delta = normal(300, seed=15), normal(100, seed=16)
    gradient = torch.outer(delta, h)
    assert alignment(gradient, h).item() == pytest.approx(1)
    across = normal(300, seed=17)
    across -= (across @ h) / (h @ h) * h
    assert alignment(gradient, across).item() == pytest.approx(0, abs=1e-12)
    gaussian = normal(100, 300, seed=18)
    expected = math.sqrt(100) / (math.sqrt(100) + math.sqrt(300))
    assert alignment(gaussian, h).item() == pytest.approx(expected, rel=0.2)
    assert alignment(gaussian, torch.zeros_like(h)).isnan()
    assert alignment(torch.zeros_like(gaussian), h).isnan()


def test_alignment_reads_batches_as_the_forward_pass_does():
    W, x = normal(4, 6, 5, seed=19), normal(4, 3, 5, seed=20)
    share = alignment(W, x)
    assert share.shape == (4, 3)
    assert share[2, 1].item() == pytest.approx(alignment(W[2], x[2, 1]).item())
    assert alignment(W, x[0, 0]).shape == (4,)
    assert alignment(W[0], x).shape == (4, 3)
    with pytest.raises(ValueError, match=r"needs \(\.\.\., n_in = 5\)"):
        alignment(W, x[..., :4])


def test_updates_that_agree_ignore_or_cancel_one_another():
    depth, width = 64, 4096
    v = normal(1, 2, width, seed=21)
    same, independent = v.expand(depth, 2, width), normal(depth, 2, width, seed=22)
    assert update_alignment(same).tolist() == pytest.approx([1, 1])
    assert addition_exponent(same).tolist() == pytest.approx([1, 1])
    assert update_alignment(independent).tolist() == pytest.approx([1 / 8, 1 / 8], rel=0.05)
    assert addition_exponent(independent).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    assert update_alignment(torch.cat([v, -v])).tolist() == [0, 0]
    assert addition_exponent(torch.cat([v, -v])).tolist() == [-math.inf, -math.inf]
    assert update_alignment(torch.zeros(3, 5)).isnan()


@given(st.integers(1, 20), st.integers(1, 20), seeds)
def test_update_alignment_is_between_0_and_1(depth, width, seed):
    ratio = update_alignment(normal(depth, width, seed=seed))
    assert 0 <= ratio <= 1 + 1e-12


def test_contributions_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        update_alignment(torch.ones(3))
    with pytest.raises(ValueError, match="L = 1"):
        addition_exponent(torch.ones(1, 4))
