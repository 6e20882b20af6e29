"""Spectral norms of matrices that change little from call to call: power iteration, warm-started.

Successive updates of one weight share most of their leading directions. So a norm that is needed
after every step starts from the vectors that were found at the step before, and two products with
M = AᵀA are usually enough.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import normalize

# Directions kept for each matrix. A product with eight vectors takes little longer than with one:
# what takes time is to read the matrix. And a single vector loses its way when the leading
# directions change their order.
VECTORS = 8
# Random directions that join a warm start. A flat spectrum, as Muon's updates have, may turn a
# direction into the leading one that none of the kept vectors holds: without these, one norm in two
# hundred came out 4 to 9 % too small, with them none of 800 by more than 1 %; as processors without
# AVX round, one of 64 by 1.6 %.
PROBES = 4
# Up to this side M itself is taken apart exactly, which is as fast.
SMALL = 64
MAX_PRODUCTS = 8
START_SEED = 4_102_857_711_239


class Leading(NamedTuple):
    """What one call finds, and what the next one starts from.

    Attributes:
        norm: ‖A‖₂ of each matrix, (B,); NaN where a matrix is not finite.
        vectors: Its leading right-singular vectors as rows, (B, VECTORS, n) with n the shorter
            side, orthonormal; None for small matrices, which need no start.
        products: How many products with M were needed, 0 for small matrices.
    """

    norm: Tensor
    vectors: Tensor | None
    products: int


@torch.no_grad()
def leading(
    A: Tensor,
    start: Tensor | None = None,
    *,
    tol: float = 0.02,
    max_products: int = MAX_PRODUCTS,
) -> Leading:
    """‖A‖₂ of each matrix of A (B, m, n), by block power iteration that keeps its iterates.

    The span of V, MV, M²V, … with M = AᵀA holds a best vector x and a value θ = ‖Ax‖² ≤ ‖A‖₂²
    (Rayleigh–Ritz). It stops when ‖Mx − θx‖ ≤ 2·tol·θ for every matrix: then √θ is within a
    relative ``tol`` of a singular value, usually of far less. That it is the largest is likely and
    not certain, other than in :func:`specmup.norms.spectral_norm`: a warm start is joined by random
    directions, and at least two products bring up what it lacks. The result never exceeds ‖A‖₂, up
    to rounding.

    Args:
        A: Matrices (B, m, n), float32 or float64.
        start: The ``vectors`` of an earlier call for matrices like these; None to start cold.
        tol: Relative tolerance.
        max_products: Most products with M; after them the best value so far is returned.
    """
    A = A if A.shape[-1] <= A.shape[-2] else A.mT  # iterate on the shorter side
    n = A.shape[-1]
    if n <= SMALL:
        return _exact(A)
    basis = _random(A, VECTORS) if start is None else _with_probes(start.to(A))
    block = basis.shape[1]
    for products in range(1, max_products + 1):
        image = basis @ A.mT  # rows are vectors: such products are several times faster
        square = image @ image.mT
        broken = ~square.isfinite().all(-1).all(-1)
        if broken.any():
            return _without(A, broken, start, tol=tol, max_products=max_products)
        values, mix = torch.linalg.eigh(square)
        theta, best = values[:, -1:], mix[:, :, -1:].mT  # (B, 1), (B, 1, rows)
        # A basis that spans everything has nothing left to find. Where a warm start holds the
        # second singular vector and not the first, the residual is small at once: only a second
        # product brings up the first.
        if products == max_products or basis.shape[1] == n:
            break
        if products > 1:
            residual = (best @ image) @ A - theta[..., None] * (best @ basis)
            if (vector_norm(residual, dim=-1) <= 2 * tol * theta).all():
                break
        # The whole basis again: a QR of new directions alone would not keep them orthogonal to
        # the old ones where a matrix of low rank gives no new direction.
        new = image[:, -block:] @ A
        basis = _rows(torch.cat((basis, new), dim=1)[:, :n])
    vectors = mix[:, :, -VECTORS:].mT @ basis
    return Leading(theta.clamp(min=0).sqrt().squeeze(-1), vectors, products)


def top_singular(W: Tensor, v: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """‖W‖₂, u₁ and v₁ of each matrix, by a fixed number of products from one vector.

    SSO is defined so: it wants both vectors, and a result that depends on nothing but the start.

    Args:
        W: Matrices (B, n_out, n_in).
        v: Where to start from, (B, n_in, 1).
        iterations: Number of products with WᵀW.

    Returns:
        ‖W‖₂ (B, 1, 1), u₁ (B, n_out, 1) and v₁ (B, n_in, 1).
    """
    for _ in range(iterations):
        v = normalize(W.mT @ (W @ v), dim=-2)
    image = W @ v
    norm = image.norm(dim=-2, keepdim=True)
    return norm, image / norm, v


def _exact(A: Tensor) -> Leading:
    square = A.mT @ A
    broken = ~square.isfinite().all(-1).all(-1)
    square = square.masked_fill(broken[:, None, None], 0)
    norm = torch.linalg.eigvalsh(square)[:, -1].clamp(min=0).sqrt()
    return Leading(norm.masked_fill(broken, torch.nan), None, 0)


def _without(A: Tensor, broken: Tensor, start: Tensor | None, **limits) -> Leading:
    """The other matrices' norms, NaN for the broken ones, which keep the vectors they had."""
    found = leading(A.masked_fill(broken[:, None, None], 0), start, **limits)
    return found._replace(norm=found.norm.masked_fill(broken, torch.nan))


def _random(A: Tensor, count: int) -> Tensor:
    """Orthonormal rows (B, count, n), the same for every matrix and at every call."""
    return _drawn(count, A.shape[-1]).to(A).expand(A.shape[0], -1, -1)


@lru_cache(maxsize=64)
def _drawn(count: int, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(START_SEED)
    return _rows(torch.randn(1, count, n, generator=generator, dtype=torch.float64))


def _with_probes(start: Tensor) -> Tensor:
    """Orthonormal rows with the span of the start and of random directions beside it."""
    # The first rows of _random are what a cold start came from: others are still unseen.
    probes = _random(start, VECTORS + PROBES)[:, VECTORS:]
    return _rows(torch.cat((start, probes), dim=1)[:, : start.shape[-1]])


def _rows(vectors: Tensor) -> Tensor:
    """Orthonormal rows with the same span."""
    return torch.linalg.qr(vectors.mT).Q.mT.contiguous()
