"""The spectral norm of Gaussian matrices: ``rms_operator_norm`` against the exact norm."""

from __future__ import annotations

import math
from functools import partial

import torch

from benchmarks.harness import Row, median_seconds, threads
from specmup.norms import rms_operator_norm

WIDTHS = (512, 1024, 2048)
TARGETS = {2048: 10.0}
LARGEST_ERROR = 1e-2


def ratio_at(width: int) -> list[Row]:
    """Speed and relative error on one float32 matrix (width, width) of N(0, 1/width) entries.

    On one thread: the exact norm gains from a second one, and ours, which waits for memory, hardly.

    Raises:
        RuntimeError: a relative error is above 1 %, so that the times compare nothing.
    """
    generator = torch.Generator().manual_seed(width)
    W = torch.randn(width, width, generator=generator) / math.sqrt(width)

    found = {}

    def ours() -> None:
        found["ours"] = rms_operator_norm(W)

    def exact() -> None:  # for a square matrix ‖W‖_R is ‖W‖₂
        found["exact"] = torch.linalg.matrix_norm(W, ord=2)

    large = width > 1024  # seconds a call: few repeats, and nothing gained by warming up
    with threads(1):
        seconds = median_seconds(
            {"ours": ours, "exact": exact}, repeats=3 if large else 9, warm_up=0 if large else 1
        )
    error = abs(float(found["ours"] / found["exact"]) - 1)
    if not error <= LARGEST_ERROR:
        raise RuntimeError(f"rms_operator_norm is off by {error:.2g} at width {width}")
    row = Row(
        name=f"norms {width}",
        compared="rms_operator_norm : torch.linalg.matrix_norm(ord=2), one thread",
        ratio=seconds["exact"] / seconds["ours"],
        note=f"{1e3 * seconds['ours']:.1f} ms : {1e3 * seconds['exact']:.0f} ms, "
        f"relative error {error:.1e}",
        target=TARGETS.get(width),
    )
    return [row]


PARTS = {f"{width} × {width}": partial(ratio_at, width) for width in WIDTHS}
