"""RMS norms of vectors and matrices.

‖a‖_R = ‖a‖₂/√dim is the typical size of an entry. ‖W‖_R = √(n_in/n_out)·‖W‖₂ is the most by
which W (n_out, n_in) can stretch it, so ‖Wx‖_R ≤ ‖W‖_R·‖x‖_R: the norms in which the spectral
condition is written (yang2023; zheng2026, §2). bfloat16 and float16 are computed in float32.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor
from torch.linalg import vector_norm

TOLERANCE = 1e-2
MAX_ITERATIONS = 256
# The chance, for a given matrix, that the random start is too poor for the stated tolerance.
MISS = 1e-6
# Nobody's torch.manual_seed: a start equal to a row of W would not be independent of W.
START_SEED = 7_463_290_551_283


class ToleranceWarning(UserWarning):
    """A norm was not found to the tolerance that was asked for."""


def rms_norm(x: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """‖x‖_R = ‖x‖₂/√size over ``dim``: the root of the mean square.

    Squares that leave the range of float32 give inf: sizes beyond 1e19 count as divergence.

    Raises:
        TypeError: x is no tensor, or not of a real floating dtype.
        ValueError: there is nothing to average over.
    """
    x = as_float(x, "x")
    dims = (dim,) if isinstance(dim, int) else dim
    if x.ndim == 0 or (count := math.prod(x.shape[d] for d in dims)) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: no entries along dim {dim} to average")
    return vector_norm(x, dim=dim) / math.sqrt(count)


def or_inf(sizes: Tensor) -> Tensor:
    """Sizes, none of them negative, with ``inf`` also in place of NaN: either means divergence."""
    return sizes.nan_to_num(torch.inf, torch.inf)


def rms_operator_norm(
    W: Tensor, *, tol: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS
) -> Tensor:
    """‖W‖_R = √(n_in/n_out)·‖W‖₂ of each matrix of W (..., n_out, n_in); shape (...).

    Tolerance, warning and errors are those of :func:`spectral_norm`.

    >>> float(rms_operator_norm(2 * torch.eye(3)))
    2.0
    """
    norm = spectral_norm(W, tol=tol, max_iterations=max_iterations)
    n_out, n_in = W.shape[-2:]
    return norm * math.sqrt(n_in / n_out)


@torch.no_grad()
def spectral_norm(
    W: Tensor, *, tol: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS
) -> Tensor:
    """‖W‖₂, the largest singular value, of each matrix of W (..., n_out, n_in); shape (...).

    Power iteration v, Mv, M²v, … with M = WᵀW from a random v, which keeps its iterates and takes
    the best vector in their span (Rayleigh–Ritz; that is Lanczos' method).

    The result s does not exceed ‖W‖₂, and ‖W‖₂ ≤ (1 + tol)·s with probability 1 - 1e-6 for a
    given W, however the singular values lie; both up to rounding. Usually the error is far
    smaller. A small residual would promise less: that s is near *some* singular value, when the
    start may all but miss the top one. Whatever the matrix, no more than
    1 + ln(1.6e6·√n)/acosh(1 + 4·tol) products with M are needed, n = min(n_out, n_in): 66 for
    n = 4096 at the default tol. On a CPU the exact norm is faster below n of about 400.

    The start is the same at every call and for every matrix, and the global random state is not
    touched. Zero matrices give 0; matrices with a NaN or an infinity give NaN. No gradient.

    Args:
        W: matrices (..., n_out, n_in), float64, float32, bfloat16 or float16, on any device.
        tol: relative tolerance, at least 100 roundings of the dtype (1.2e-5 in float32).
        max_iterations: most products with M.

    Warns:
        ToleranceWarning: after ``max_iterations`` some matrix is not known to ``tol``.

    Raises:
        TypeError: W is no tensor, or not of a real floating dtype.
        ValueError: W is not a matrix or is empty; ``tol`` or ``max_iterations`` is too small.

    >>> spectral_norm(torch.tensor([[[3.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]]))
    tensor([3., 0.])
    """
    A = as_float(W, "W")
    if A.ndim < 2 or A.numel() == 0:
        raise ValueError(f"W has shape {tuple(W.shape)}: need non-empty (..., n_out, n_in)")
    finest = 100 * torch.finfo(A.dtype).eps
    if not tol >= finest:
        raise ValueError(f"tol is {tol}: {A.dtype} needs at least {finest:.1g}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}: need at least 1")
    A = A.reshape(-1, *A.shape[-2:])
    A = A if A.shape[-1] <= A.shape[-2] else A.mT  # iterate on the shorter side
    largest = torch.maximum(A.amax(dim=(-2, -1)), -A.amin(dim=(-2, -1)))
    broken = ~largest.isfinite()
    scale = largest.masked_fill(broken | (largest == 0), 1)
    A = A / scale[:, None, None]  # squares neither overflow nor vanish
    if broken.any():
        A = A.masked_fill(broken[:, None, None], 0)

    norm, reached = _lanczos(A, tol, max_iterations)
    worst = int(reached.argmax())
    if reached[worst] > tol:
        index = [int(i) for i in torch.unravel_index(torch.tensor(worst), W.shape[:-2])]
        warnings.warn(
            f"the norm of {f'W{index}' if index else 'W'} is known only to a relative "
            f"{float(reached[worst]):.2g} after {max_iterations} iterations, not to "
            f"tol = {tol:g}: raise max_iterations or tol",
            ToleranceWarning,
            stacklevel=3,
        )
    return (norm.to(scale) * scale).masked_fill(broken, math.nan).reshape(W.shape[:-2])


def _lanczos(A: Tensor, tol: float, max_iterations: int) -> tuple[Tensor, Tensor]:
    """Largest singular value of each A (B, m, n), and the tolerance to which it is known; (B,).

    Vectors are kept as rows, (B, 1, n): batched products are several times faster that way.
    """
    batch, _, n = A.shape
    steps = min(n, max_iterations)
    generator = torch.Generator().manual_seed(START_SEED)
    start = torch.randn(n, generator=generator, dtype=torch.float64)
    basis = A.new_zeros(batch, steps + 1, n)
    basis[:, 0] = (start / start.norm()).to(A)
    alphas, betas = [], []  # (B,) a step: diagonal and off-diagonal of M in the basis
    square = torch.zeros(batch, dtype=torch.float64)  # ‖A‖₂², from below
    reached = torch.full_like(square, math.inf)
    check_at = 4
    for step in range(1, steps + 1):
        image = basis[:, step - 1 : step] @ A.mT
        rest = image @ A
        floor = 8 * torch.finfo(A.dtype).eps * vector_norm(rest, dim=-1)
        known = basis[:, :step]
        for _ in range(2):  # twice is enough to be orthogonal up to rounding
            rest = rest - rest @ known.mT @ known
        beta = vector_norm(rest, dim=-1)
        complete = (beta <= floor) | (step == n)  # no new direction: the span holds the answer
        beta = beta.masked_fill(complete, 0)
        basis[:, step] = (rest.squeeze(-2) / beta).masked_fill(complete, 0)
        alphas.append(image.square().sum(dim=(-2, -1)))
        betas.append(beta.squeeze(-1))
        if step < min(check_at, steps):
            continue
        check_at = math.ceil(1.25 * step)
        left = reached.isinf()
        alpha, beta = (torch.stack(c, dim=-1).double().cpu()[left] for c in (alphas, betas))
        matrix = alpha.diag_embed() + beta[:, :-1].diag_embed(offset=-1)  # the lower half is read
        square[left] = torch.linalg.eigvalsh(matrix)[:, -1].clamp(min=0)
        reached[left] = _reached(square[left], alpha, beta, n, tol, doubling=step == steps)
        if not reached.isinf().any():
            break
    return square.sqrt(), reached


def _reached(
    square: Tensor, alpha: Tensor, beta: Tensor, n: int, tol: float, doubling: bool
) -> Tensor:
    """The tolerance at which ‖A‖₂² ≤ (1 + tolerance)²·square is certain: tol, or ∞; (B,).

    With ``doubling``, the first of tol, 2·tol, 4·tol, … instead. alpha and beta are (B, steps).

    Let p_0 = 1, p_1, … be the orthonormal polynomials with p_j(M)·start = basis vector j, whose
    part along the top singular direction u is thus p_j(λ)·⟨start, u⟩, λ = ‖A‖₂². These parts are
    at most 1 together: Σ p_j(λ)² ≤ 1/⟨start, u⟩². All p_j² grow beyond the largest Ritz value,
    so whatever exceeds it and has a sum above 1/⟨start, u⟩² lies above λ. For a uniform start
    P(⟨start, u⟩² < w) ≤ √(2nw/π), which is MISS at the w below.
    """
    w = math.pi * MISS**2 / (2 * n)
    reached = torch.full_like(square, math.inf)
    while True:
        ceiling = (1 + tol) ** 2 * square
        p, p_before = torch.ones_like(square), torch.zeros_like(square)
        beta_before = torch.zeros_like(square)
        total = p.square()
        for a, b in zip(alpha.unbind(-1), beta.unbind(-1), strict=True):
            p, p_before = ((ceiling - a) * p - beta_before * p_before) / b, p
            total, beta_before = total + p.square(), b
        # A complete span has b = 0, so p = ∞ and NaN after it: certain.
        reached[reached.isinf() & ~(total * w < 1)] = tol
        if not doubling or reached.isfinite().all():
            return reached
        tol *= 2


@torch.no_grad()
def stable_rank(
    W: Tensor, *, tol: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS
) -> Tensor:
    """‖W‖_F²/‖W‖₂² of each matrix of W (..., n_out, n_in): between 1 and the rank; shape (...).

    A soft count of the directions in which W is large; NaN for a zero matrix. High by at most
    about 2·tol; warning and errors as in :func:`spectral_norm`. No gradient.
    """
    norm = spectral_norm(W, tol=tol, max_iterations=max_iterations)
    return (W / norm[..., None, None]).square().sum(dim=(-2, -1))


def as_float(tensor: Tensor, name: str) -> Tensor:
    """The tensor in float64 or float32; bfloat16 and float16 are widened to float32.

    Raises:
        TypeError: It is no tensor, or not of a real floating dtype.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} is a {type(tensor).__name__}: give a tensor, torch.tensor({name})")
    if not tensor.dtype.is_floating_point:
        raise TypeError(f"{name} has dtype {tensor.dtype}: convert it to a floating dtype")
    return tensor if tensor.dtype == torch.float64 else tensor.float()
