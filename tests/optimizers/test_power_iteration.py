"""Warm-started norms: right from cold, quick when warm, honest about broken matrices."""

import math

import pytest
import torch

from specmup.optimizers import power_iteration
from specmup.optimizers.power_iteration import SMALL, leading, top_singular

SHAPES = [(10, 96), (64, 64), (100, 80), (80, 100), (256, 256)]


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def exact(A):
    return torch.linalg.matrix_norm(A.double(), 2)


def with_singular_values(values, n=128, seed=0):
    left, right = (torch.linalg.qr(random(n, len(values), seed=seed + i)).Q for i in (0, 1))
    return left * torch.as_tensor(values) @ right.mT


@pytest.mark.parametrize("shape", SHAPES)
def test_cold_start_finds_the_norm(shape):
    A = random(3, *shape)
    norm = leading(A).norm
    assert (norm / exact(A) - 1).abs().max() < 0.01
    assert (norm <= exact(A) * (1 + 1e-5)).all()


@pytest.mark.parametrize(
    "values",
    [torch.ones(128), torch.linspace(0.7, 1.2, 128), torch.tensor([1.0, 0.999, 0.5]), [1.0]],
    ids=["flat", "muon", "close pair", "rank one"],
)
def test_any_spectrum_from_cold(values):
    A = with_singular_values(values)[None]
    assert abs(float(leading(A).norm / exact(A)) - 1) < 0.02


def test_warm_start_saves_products_and_a_wrong_start_costs_them():
    A = with_singular_values(0.9 ** torch.arange(60.0))
    near = A + 0.02 * random(128, 128, seed=5) / math.sqrt(128)
    cold = leading(near[None])
    warm = leading(near[None], leading(A[None]).vectors)
    elsewhere = leading(near[None], cold.vectors.roll(17, dims=-1))
    assert warm.products < cold.products <= elsewhere.products
    assert abs(float(warm.norm / exact(near)) - 1) < 0.02


def test_one_product_without_a_start_is_not_enough():
    A = with_singular_values(torch.linspace(0.5, 1.0, 128))[None]
    assert float(leading(A, max_products=1).norm) < 0.98


def test_vectors_are_the_leading_ones():
    A = with_singular_values(0.8 ** torch.arange(40.0))
    vectors = leading(A[None], tol=1e-3).vectors[0]
    assert torch.allclose(vectors @ vectors.mT, torch.eye(power_iteration.VECTORS), atol=1e-5)
    top = torch.linalg.svd(A).Vh[0]
    assert (vectors @ top).norm() > 0.999


@pytest.mark.parametrize("n", [SMALL // 2, SMALL * 2])
def test_zero_and_broken_matrices_leave_the_others_alone(n):
    A = random(4, n, n)
    A[1], A[2, 0, 0], A[3, 1, 2] = 0, math.nan, math.inf
    found = leading(A)
    assert abs(float(found.norm[0] / exact(A[0])) - 1) < 0.01
    assert found.norm[1] == 0
    assert found.norm[2:].isnan().all()
    if found.vectors is not None:
        assert found.vectors.isfinite().all()
        again = leading(random(4, n, n, seed=1), found.vectors).norm
        assert (again / exact(random(4, n, n, seed=1)) - 1).abs().max() < 0.02


def test_rank_one_is_not_overestimated_in_later_calls():
    A = with_singular_values([3.0])[None]
    found = leading(A)
    for _ in range(3):
        found = leading(A, found.vectors)
    assert abs(float(found.norm) / 3 - 1) < 1e-4


def test_a_start_that_lacks_the_first_vector_finds_it():
    """The second singular vector has no residual: only another product shows that it is second."""
    A = with_singular_values([1.0, 0.85, *[0.8 * 0.9**i for i in range(30)]])
    second = torch.linalg.svd(A).Vh[1:2]
    start = torch.linalg.qr(torch.cat((second, random(7, 128))).mT).Q.mT[None]
    assert abs(float(leading(A[None], start, max_products=1).norm) - 0.85) < 0.01
    assert abs(float(leading(A[None], start).norm) - 1) < 0.02


def test_one_vector_goes_on_from_where_it_was():
    W, v = random(1, 20, 12).double(), random(1, 12, 1, seed=3).double()
    norm, u, v = top_singular(W, v, 500)
    U, S, Vh = torch.linalg.svd(W)
    assert float(norm) == pytest.approx(float(S[0, 0]), rel=1e-9)
    torch.testing.assert_close(u @ v.mT, U[..., :1] @ Vh[..., :1, :], rtol=0, atol=1e-6)
