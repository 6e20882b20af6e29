"""A step of Muon on many small matrices: taken together, against torch's, one after the other."""

from __future__ import annotations

import torch

from benchmarks.harness import Row, median_seconds, threads
from specmup.optimizers.muon import Muon

CASES = {(64, 1920): 3.0, (256, 96): None}  # (side, how many): the least ratio that is promised


def ratios() -> list[Row]:
    """One row a size, on one thread."""
    return [_row(side, count, target) for (side, count), target in CASES.items()]


def _row(side: int, count: int, target: float | None) -> Row:
    def stepper(kind: type[torch.optim.Muon]):
        matrices = [torch.nn.Parameter(torch.randn(side, side)) for _ in range(count)]
        for p in matrices:
            p.grad = torch.randn(side, side)
        return kind(matrices, lr=0.01).step

    with threads(1):
        took = median_seconds({"together": stepper(Muon), "torch": stepper(torch.optim.Muon)})
    return Row(
        f"Muon, {count} matrices of {side} × {side}",
        "together / one by one",
        took["torch"] / took["together"],
        f"{1e3 * took['together']:.0f} ms a step",
        target,
    )
