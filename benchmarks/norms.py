"""The spectral norm of Gaussian matrices: ``rms_operator_norm`` against the exact norm."""

from __future__ import annotations

import math

import torch

from benchmarks.harness import Row, median_seconds
from specmup.norms import rms_operator_norm

WIDTHS = (512, 1024, 2048, 4096)
TARGETS = {2048: 10.0}
LARGEST_ERROR = 1e-2


def ratios() -> list[Row]:
    """One row a width, both norms at their defaults, with the relative error between them.

    Raises:
        RuntimeError: a relative error is above 1 %, so that the times compare nothing.
    """
    return [ratio_at(width) for width in WIDTHS]


def ratio_at(width: int) -> Row:
    """Speed and relative error on one float32 matrix (width, width) of N(0, 1/width) entries."""
    generator = torch.Generator().manual_seed(width)
    W = torch.randn(width, width, generator=generator) / math.sqrt(width)

    found = {}

    def ours() -> None:
        found["ours"] = rms_operator_norm(W)

    def exact() -> None:  # for a square matrix ‖W‖_R is ‖W‖₂
        found["exact"] = torch.linalg.matrix_norm(W, ord=2)

    large = width > 1024  # seconds a call: few repeats, and nothing gained by warming up
    seconds = median_seconds(
        {"ours": ours, "exact": exact}, repeats=3 if large else 9, warm_up=0 if large else 1
    )
    error = abs(float(found["ours"] / found["exact"]) - 1)
    if not error <= LARGEST_ERROR:
        raise RuntimeError(f"rms_operator_norm is off by {error:.2g} at width {width}")
    return Row(
        name=f"norms {width}",
        compared="rms_operator_norm : torch.linalg.matrix_norm(ord=2)",
        ratio=seconds["exact"] / seconds["ours"],
        note=f"{1e3 * seconds['ours']:.1f} ms : {1e3 * seconds['exact']:.0f} ms, "
        f"relative error {error:.1e}",
        target=TARGETS.get(width),
    )
