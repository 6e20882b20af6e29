"""A step of Muon on many small matrices: taken together, against torch's, one after the other."""

from __future__ import annotations

from functools import partial

import torch

from benchmarks.harness import Row, median_seconds, threads
from specmup.optimizers.muon import Muon

CASES = {(64, 480): 3.0, (256, 12): None}  # (side, how many): the least ratio that is promised


def ratio_at(side: int, count: int) -> list[Row]:
    """A step of both, on one thread."""

    def stepper(kind: type[torch.optim.Muon]):
        matrices = [torch.nn.Parameter(torch.randn(side, side)) for _ in range(count)]
        for p in matrices:
            p.grad = torch.randn(side, side)
        return kind(matrices, lr=0.01).step

    with threads(1):
        steps = {"together": stepper(Muon), "torch": stepper(torch.optim.Muon)}
        took = median_seconds(steps, repeats=3)
    row = Row(
        f"Muon, {count} matrices of {side} × {side}",
        "together : torch.optim.Muon, one thread",
        took["torch"] / took["together"],
        f"{1e3 * took['together']:.0f} ms a step",
        CASES[side, count],
    )
    return [row]


PARTS = {
    f"{count} matrices of {side} × {side}": partial(ratio_at, side, count) for side, count in CASES
}
