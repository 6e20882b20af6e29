"""The condition enforced: what measuring and rescaling every step adds to a step of training."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.harness import Row, median_seconds, threads
from specmup.data.images import digits
from specmup.norms import rms_operator_norm
from specmup.optimizers.enforced import Enforced
from specmup.optimizers.registry import make_optimizer

WIDTH, DEPTH = 1024, 4
LEARNING_RATE = 2.0**-8
# A whole step: forward and backward pass of a batch, the optimizer's step, and the rescaling.
CASES = (("adamw", 64), ("adamw", 256), ("adamw", 1024), ("muon-kimi", 256))
MATRIX = ("muon-kimi",)
PROMISED = 1024  # from this batch size on
LARGEST_SHARE = 0.15
LARGEST_ERROR = 0.02


def ratio_of(name: str, batch_size: int) -> list[Row]:
    """The wrapped optimizer against the same one alone, width 1024 with 8 hidden matrices.

    The project promises at most 15 % for batches of 1024. The wrapper's work does not grow with the
    batch, so at 256 it is a fifth to a third of a step where the processor has no AVX-512.

    Raises:
        RuntimeError: a step's norm is off by more than 2 %, so that the time bought nothing.
    """
    plain, enforced = Training(name, batch_size, enforce=False), Training(name, batch_size)
    steps = {"plain": plain.step, "enforced": enforced.step}
    with threads(1):
        seconds = median_seconds(steps, repeats=3 if name in MATRIX else 7, warm_up=2)
    error = enforced.error()
    if not error <= LARGEST_ERROR:
        raise RuntimeError(f"a step's norm is off by {error:.2g} with {name}")
    share = seconds["enforced"] / seconds["plain"] - 1
    row = Row(
        name=f"enforced {WIDTH}, {name}",
        compared=f"Enforced : alone, a whole step, batch {batch_size}, one thread",
        ratio=seconds["plain"] / seconds["enforced"],
        note=f"{1e3 * seconds['enforced']:.0f} ms : {1e3 * seconds['plain']:.0f} ms, "
        f"{100 * share:.0f} % more, norms within {100 * error:.1f} %",
        target=None if batch_size < PROMISED else round(1 / (1 + LARGEST_SHARE), 2),
    )
    return [row]


class Network(nn.Module):
    """A ReLU residual network with two maps a branch, each of them a parameter."""

    def __init__(self) -> None:
        """64 inputs, 8 hidden matrices of side 1024, 10 outputs; nn.Linear's own start."""
        super().__init__()
        self.first = nn.Linear(64, WIDTH, bias=False)
        self.maps = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(2 * DEPTH))
        self.last = nn.Linear(WIDTH, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, 10)."""
        h = self.first(x)
        for up, down in zip(self.maps[::2], self.maps[1::2], strict=True):
            h = h + down(torch.relu(up(h))) / DEPTH
        return self.last(h)


class Training:
    """A network of its own, trained by one optimizer on the digits."""

    def __init__(self, name: str, batch_size: int, *, enforce: bool = True) -> None:
        """Start from the same weights each time."""
        torch.manual_seed(0)
        self.model = Network()
        groups = [{"params": self.model.maps.parameters(), "lr": LEARNING_RATE}]
        ends = [*self.model.first.parameters(), *self.model.last.parameters()]
        groups.append({"params": ends, "lr": LEARNING_RATE})
        if name in MATRIX:
            groups[1]["companion"] = True
        optimizer = make_optimizer(name, groups)
        self.optimizer = Enforced(optimizer) if enforce else optimizer
        task = digits()
        self.x, self.y = task.train_x[:batch_size], task.train_y[:batch_size]

    def step(self) -> None:
        """Forward, backward, update."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.x), self.y).backward()
        self.optimizer.step()

    def error(self) -> float:
        """The largest relative error of a matrix's norm in one more step."""
        before = [p.detach().clone() for p in self.model.parameters()]
        self.step()
        norms = [
            rms_operator_norm(p.detach() - w, tol=1e-3)
            for p, w in zip(self.model.parameters(), before, strict=True)
        ]
        return float((torch.stack(norms) / LEARNING_RATE - 1).abs().max())


PARTS = {f"{name}, batch {size}": partial(ratio_of, name, size) for name, size in CASES}
