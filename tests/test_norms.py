"""Norms against the exact singular values."""

from __future__ import annotations

import math
import re
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specmup import norms
from specmup.norms import (
    ToleranceWarning,
    addition_exponent,
    alignment,
    or_inf,
    rms_norm,
    rms_operator_norm,
    spectral_norm,
    stable_rank,
    update_alignment,
)

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-5, torch.float16: 1e-5}

seeds = st.integers(0, 2**32)
sizes = st.one_of(st.integers(1, 8), st.integers(1, 120))


def normal(*shape: int, seed: int, dtype=torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def with_singular_values(values: torch.Tensor, n_out: int, n_in: int, seed: int) -> torch.Tensor:
    """Matrices U diag(values) Vᵀ (..., n_out, n_in), U and V random with orthonormal columns."""
    *batch, count = values.shape
    U = torch.linalg.qr(normal(*batch, n_out, count, seed=seed)).Q
    V = torch.linalg.qr(normal(*batch, n_in, count, seed=seed + 1)).Q
    return U * values.unsqueeze(-2) @ V.mT


@st.composite
def matrices(draw, n_out=sizes, n_in=sizes, dtypes=tuple(ROUNDING), largest=30) -> torch.Tensor:
    """Batches of Gaussian, low-rank, orthogonal and clustered matrices of any shape and size."""
    m, n, seed = draw(n_out), draw(n_in), draw(seeds)
    batch = draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    count = min(m, n)
    kind = draw(st.sampled_from(["gaussian", "low rank", "orthogonal", "clustered", "one above"]))
    if kind == "gaussian":
        W = normal(*batch, m, n, seed=seed)
    elif kind == "low rank":
        rank = draw(st.integers(1, min(3, count)))
        W = normal(*batch, m, rank, seed=seed) @ normal(*batch, rank, n, seed=seed + 1)
    else:
        values = torch.ones(*batch, count, dtype=torch.float64)
        if kind == "clustered":
            values -= torch.linspace(0, 1, count, dtype=torch.float64) ** draw(st.integers(1, 4))
            values[..., 0] = 1
        elif kind == "one above":
            values[..., 0] += draw(st.sampled_from([0.3, 0.05, 0.003]))
        W = with_singular_values(values, m, n, seed)
    dtype = draw(st.sampled_from(dtypes))
    largest = 0 if dtype == torch.float16 else largest
    scale = 10.0 ** draw(st.integers(-max(4, largest), largest))
    return (W * scale).to(dtype)


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
@given(matrices(dtypes=(torch.float32, torch.float64), largest=15), seeds)
def test_alignment_is_between_0_and_1(W, seed):
    x = normal(4, W.shape[-1], seed=seed).to(W.dtype)
    share = alignment(W, x, tol=1e-4)
    assert share.shape == (*W.shape[:-2], 4)
    assert ((share >= 0) & (share <= 1 + 2e-4)).all()


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


def test_what_is_not_finite_counts_as_infinite():
    assert or_inf(torch.tensor([2.0, math.inf, math.nan])).tolist() == [2.0, math.inf, math.inf]
