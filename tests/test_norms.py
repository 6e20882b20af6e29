"""Norms against the exact singular values."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_matrices import ROUNDING, matrices, normal, seeds, sizes, with_singular_values

from specmup import norms
from specmup.norms import (
    ToleranceWarning,
    or_inf,
    rms_norm,
    rms_operator_norm,
    spectral_norm,
    stable_rank,
)

THERE = [pytest.param("cuda", marks=pytest.mark.gpu)] if torch.cuda.is_available() else []
DEVICES = ["cpu", *THERE]


def exact_norm(W: torch.Tensor) -> torch.Tensor:
    return torch.linalg.matrix_norm(W.double(), ord=2)


def assert_within(norm: torch.Tensor, W: torch.Tensor, tol: float) -> None:
    """Up to rounding norm ≤ ‖W‖₂ ≤ (1 + tol)·norm."""
    rounding = ROUNDING[W.dtype]
    exact = exact_norm(W)
    assert norm.shape == W.shape[:-2]
    assert (norm.double() <= exact * (1 + rounding)).all()
    assert (exact <= (1 + tol) * (1 + rounding) * norm.double()).all()


@settings(deadline=None, max_examples=300)
@given(W=matrices(), tol=st.sampled_from([0.5, 0.1, 1e-2, 1e-3, 1e-4]))
def test_spectral_norm_is_within_tolerance_of_the_exact_one(W, tol):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        norm = spectral_norm(W, tol=tol)
    assert norm.dtype == (torch.float64 if W.dtype == torch.float64 else torch.float32)
    assert_within(norm, W, tol)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda W: torch.linalg.matrix_norm(W),
        lambda W: torch.linalg.matrix_norm(W, ord=1),
        lambda W: 0.98 * exact_norm(W),
        rms_operator_norm,
    ],
    ids=["Frobenius", "column sum", "2 % low", "RMS instead of spectral"],
)
def test_the_check_fails_for_a_wrong_norm(wrong):
    W = normal(60, 30, seed=1)
    assert_within(spectral_norm(W), W, norms.TOLERANCE)
    with pytest.raises(AssertionError):
        assert_within(wrong(W), W, norms.TOLERANCE)


@pytest.mark.parametrize("width", [300, 700])
def test_gaussian_matrices_with_their_crowded_top(width):
    W = normal(width, width, seed=width, dtype=torch.float32)
    assert_within(spectral_norm(W), W, norms.TOLERANCE)


def nearly_missed(width: int, part: float) -> torch.Tensor:
    """Singular values up to 1 and one near 1.3, along which the start has only ``part``."""
    generator = torch.Generator().manual_seed(norms.START_SEED)
    start = torch.randn(width, generator=generator, dtype=torch.float64)
    start /= start.norm()
    across = normal(width, seed=3)
    across -= (across @ start) * start
    top = part * start + math.sqrt(1 - part**2) * across / across.norm()
    values = torch.linspace(0.2, 1, width, dtype=torch.float64)
    bulk = with_singular_values(values, width, width, seed=4)
    keep = torch.eye(width, dtype=torch.float64) - torch.outer(top, top)
    return bulk @ keep + 1.2 * torch.outer(normal(width, seed=5) / math.sqrt(width), top)


def test_a_top_direction_that_the_start_nearly_misses_is_found():
    W = nearly_missed(400, part=1e-6)
    assert_within(spectral_norm(W), W, norms.TOLERANCE)


def test_stopping_as_if_the_start_could_not_miss_is_caught(monkeypatch):
    monkeypatch.setattr(norms, "MISS", 1.0)
    W = nearly_missed(400, part=1e-6)
    with pytest.raises(AssertionError):
        assert_within(spectral_norm(W), W, norms.TOLERANCE)


def test_the_promised_number_of_products_is_enough():
    for tol in (0.1, 1e-2):
        for power in (0.5, 1, 2):
            values = 1 - torch.linspace(0, 1, 300, dtype=torch.float64) ** power
            W = with_singular_values(values, 300, 300, seed=6)
            enough = math.ceil(1 + math.log(1.6e6 * math.sqrt(300)) / math.acosh(1 + 4 * tol))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                norm = spectral_norm(W, tol=tol, max_iterations=enough)
            assert_within(norm, W, tol)


def test_a_warning_names_the_worst_matrix_how_far_it_is_known_and_the_remedy():
    easy = torch.eye(200, dtype=torch.float64)
    W = torch.stack([easy, easy, normal(200, 200, seed=7), easy]).reshape(2, 2, 200, 200)
    with pytest.warns(ToleranceWarning, match=r"W\[1, 0\].*raise max_iterations") as caught:
        norm = spectral_norm(W, max_iterations=8)
    assert len(caught) == 1
    stated = float(re.search(r"relative (\S+)", str(caught[0].message))[1])
    assert norms.TOLERANCE < stated < 2
    assert_within(norm, W, 1.05 * stated)  # it is printed to two digits


def test_a_single_matrix_is_named_without_an_index():
    with pytest.warns(ToleranceWarning, match="norm of W is"):
        rms_operator_norm(normal(50, 50, seed=8), max_iterations=2)


def test_zero_nan_and_infinite_matrices_keep_to_themselves():
    good = normal(6, 5, seed=9)
    nan, inf = good.clone(), good.clone()
    nan[0, 0], inf[1, 1] = math.nan, -math.inf
    W = torch.stack([good, torch.zeros_like(good), nan, inf])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        norm = spectral_norm(W)
        alone = spectral_norm(good)
    assert norm[0].item() == pytest.approx(alone.item(), rel=1e-12)
    assert norm[1] == 0
    assert norm[2:].isnan().all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", list(ROUNDING))
def test_devices_and_dtypes(device, dtype):
    W = normal(2, 40, 70, seed=10).to(device, dtype)
    norm = rms_operator_norm(W)
    assert norm.device == W.device
    assert_within((norm * math.sqrt(40 / 70)).cpu(), W.cpu(), norms.TOLERANCE)


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e25, 1e36])
def test_squares_outside_the_range_of_float32_do_no_harm(scale):
    W = normal(30, 30, seed=11, dtype=torch.float32) * scale
    assert_within(spectral_norm(W), W, norms.TOLERANCE)
    assert stable_rank(W).isfinite()


def test_the_result_is_the_same_alone_in_a_batch_and_whatever_was_drawn_before():
    W = normal(3, 2, 50, 80, seed=12)
    state = torch.random.get_rng_state()
    together = spectral_norm(W)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(spectral_norm(W), together)
    alone = torch.stack([spectral_norm(w) for w in W.flatten(0, 1)]).view(3, 2)
    torch.testing.assert_close(alone, together, rtol=1e-12, atol=0)


def test_non_contiguous_and_differentiable_matrices():
    W = normal(9, 4, 7, seed=13).permute(1, 2, 0).requires_grad_()
    norm = spectral_norm(W)
    assert_within(norm, W.detach(), norms.TOLERANCE)
    assert not norm.requires_grad


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"W": torch.ones(3)}, ValueError, r"shape \(3,\)"),
        ({"W": torch.ones(2, 0, 3)}, ValueError, r"shape \(2, 0, 3\)"),
        ({"W": torch.ones(0, 3, 3)}, ValueError, r"shape \(0, 3, 3\)"),
        ({"W": torch.ones(3, 3, dtype=torch.int64)}, TypeError, "int64"),
        ({"W": torch.ones(3, 3, dtype=torch.complex64)}, TypeError, "complex64"),
        ({"W": [[1.0, 2.0]]}, TypeError, r"W is a list: give a tensor, torch\.tensor\(W\)"),
        ({"W": np.ones((3, 3))}, TypeError, "W is a ndarray: give a tensor"),
        ({"W": torch.ones(3, 3), "tol": 0.0}, ValueError, "tol is 0"),
        ({"W": torch.ones(3, 3), "tol": 1e-7}, ValueError, "float32 needs at least 1e-05"),
        ({"W": torch.ones(3, 3), "tol": math.nan}, ValueError, "tol is nan"),
        ({"W": torch.ones(3, 3), "max_iterations": 0}, ValueError, "max_iterations is 0"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        rms_operator_norm(**arguments)


# Properties that the theory uses


@settings(deadline=None)
@given(W=matrices(dtypes=(torch.float64,)), factor=st.sampled_from([-1e3, -1.0, 0.5, 7.0]))
def test_scaling_and_transposing(W, factor):
    norm = spectral_norm(W, tol=1e-6)
    scaled, transposed = spectral_norm(factor * W, tol=1e-6), spectral_norm(W.mT, tol=1e-6)
    torch.testing.assert_close(scaled, abs(factor) * norm, rtol=2e-6, atol=0)
    torch.testing.assert_close(transposed, norm, rtol=2e-6, atol=0)


@settings(deadline=None)
@given(sizes, sizes, sizes, seeds)
def test_the_rms_operator_norm_is_submultiplicative(n_out, middle, n_in, seed):
    A, B = normal(n_out, middle, seed=seed), normal(middle, n_in, seed=seed + 1)
    product = rms_operator_norm(A, tol=1e-6) * rms_operator_norm(B, tol=1e-6)
    assert rms_operator_norm(A @ B, tol=1e-6) <= product * (1 + 3e-6)


@settings(deadline=None)
@given(matrices(dtypes=(torch.float32, torch.float64), largest=15), seeds)
def test_no_vector_is_stretched_by_more_than_the_norm(W, seed):
    x = normal(5, W.shape[-1], seed=seed).to(W.dtype)
    bound = rms_operator_norm(W, tol=1e-4)[..., None] * rms_norm(x)
    assert (rms_norm(x @ W.mT) <= bound * (1 + 2e-4)).all()


@settings(deadline=None)
@given(matrices(dtypes=(torch.float32, torch.float64)))
def test_stable_rank_is_between_1_and_the_smaller_dimension(W):
    rank = stable_rank(W, tol=1e-4)
    assert (rank >= 1 - 1e-4).all()
    assert (rank <= min(W.shape[-2:]) * (1 + 3e-4)).all()


@given(st.integers(1, 50), seeds)
def test_rms_norm_is_the_root_mean_square(size, seed):
    x = normal(3, size, seed=seed)
    torch.testing.assert_close(rms_norm(x), x.square().mean(dim=-1).sqrt())
    torch.testing.assert_close(rms_norm(x, dim=(0, 1)), x.square().mean().sqrt())
    torch.testing.assert_close(rms_norm(torch.ones(size, dtype=torch.bfloat16)), torch.tensor(1.0))


def test_rms_norm_of_nothing():
    for x in (torch.ones(2, 0), torch.tensor(1.0)):
        with pytest.raises(ValueError, match="no entries"):
            rms_norm(x)
    with pytest.raises(TypeError, match="int64"):
        rms_norm(torch.arange(3))


def test_stable_rank_of_known_spectra():
    values = torch.tensor([2.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    W = with_singular_values(values, 9, 7, seed=14)
    assert stable_rank(W, tol=1e-8).item() == pytest.approx(6 / 4)
    assert stable_rank(torch.zeros(3, 3)).isnan()


def test_what_is_not_finite_counts_as_infinite():
    assert or_inf(torch.tensor([2.0, math.inf, math.nan])).tolist() == [2.0, math.inf, math.inf]
