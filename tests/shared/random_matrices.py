"""Random matrices of many kinds, for properties that hold of any."""

import torch
from hypothesis import strategies as st

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
