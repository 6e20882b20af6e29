"""What tests have done on GPUs, in processes of their own: real ones where there are any.

A test names a function of this module and its arguments; :func:`carried_out` is what a worker of
:class:`specmup.runs.pool.Pool` does of it. Where torch finds no GPU they are simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from simulated_gpus import Gpus, simulated
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from specmup.data.text import Text
from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.sweeps.run import Run
from specmup.sweeps.work import Executor
from specmup.training.checkpoint import Checkpoint
from specmup.training.language import History, train_language_model
from specmup.training.recipe import Recipe

CONTEXT, VOCABULARY = 8, 16
SHAPE = GPTShape(VOCABULARY, CONTEXT, width=16, depth=1, head_dimension=8, bias=True)
SIMULATED = not torch.cuda.is_available()
RECIPE = Recipe(3, 4, accumulation=2, validation_windows=6, validate_every=2)


def carried_out(job: tuple[str, tuple, dict], worker: int) -> Any:
    """What one of these functions returns."""
    name, args, options = job
    return globals()[name](*args, **options)


@contextmanager
def gpus(count: int = 2, memory: float = math.inf) -> Iterator[Gpus | None]:
    """Simulated GPUs in the block; None where there are real ones."""
    with simulated(count, memory) if SIMULATED else nullcontext() as made:
        yield made


def text() -> Text:
    """Counting in steps of one or two."""
    steps = np.random.default_rng(0).integers(1, 3, size=6000)
    tokens = (np.cumsum(steps) % VOCABULARY).astype(np.uint16)
    return Text("counting", tokens[:5000], tokens[5000:], VOCABULARY)


def trained(
    device: str, optimizer: str = "adamw", rate: float = 2.0**-6, **options: Any
) -> History:
    """A small model of biases and norms, trained from the same start wherever it is."""
    model = GPT(SHAPE)
    with torch.device("meta"):  # or biases would start as torch draws them
        sizes = GPT(SHAPE), GPT(replace(SHAPE, width=8, depth=1))
    plan = make_plan(sizes[0], base=sizes[1], optimizer=optimizer, learning_rate=rate, std=0.1)
    plan.initialise(model, 0)
    model.to(device)
    told = {"context": CONTEXT, "seed": 0, "progress": False, "recipe": RECIPE} | options
    # The one kernel of attention that is alike everywhere: there is one of its own for CPUs.
    with sdpa_kernel(SDPBackend.MATH):
        return train_language_model(model, plan.optimizer(model), text(), **told)


def on_both(*args: Any, **options: Any) -> tuple[History, History]:
    """One run on a CPU, and on the last GPU; simulated ones must be there before any backward."""
    with gpus():
        there = trained(last_gpu(), *args, **options)
    return trained("cpu", *args, **options), there


def last_gpu() -> str:
    """Its name: tensors that were left on the first one are noticed, if there are several."""
    return f"cuda:{torch.cuda.device_count() - 1}"


def taken_up(optimizer: str, folder: Path) -> tuple[History, History]:
    """A run on a GPU, and one that was stopped before its last step and taken up."""

    class Stopped(Exception):
        pass

    def stop(step: int, model: nn.Module) -> None:
        if step == RECIPE.steps - 1:
            raise Stopped

    kept = Checkpoint(folder / "run.pt", every=2)
    with gpus():
        whole = trained(last_gpu(), optimizer)
        try:
            trained(last_gpu(), optimizer, checkpoint=kept, on_step=stop)
        except Stopped:
            return whole, trained(last_gpu(), optimizer, checkpoint=kept)
    raise AssertionError("the run was not stopped")


def copied(pinned: bool = True) -> tuple[int, int]:
    """How many copies of windows ran by themselves, and how many were waited for."""
    seen, to = [], Tensor.to

    def watched(tensor: Tensor, *args: Any, **options: Any) -> Tensor:
        if tensor.shape[1:] == (CONTEXT,) and not tensor.is_floating_point():
            seen.append(bool(options.get("non_blocking")) and tensor.is_pinned())
        return to(tensor, *args, **options)

    beside = {} if pinned else {"pin_memory": lambda tensor: tensor}
    with gpus(), patch.multiple(Tensor, to=watched, **beside):
        trained(last_gpu())
    return seen.count(True), seen.count(False)


def with_something_left_behind() -> None:
    """A model of which one tensor, no parameter and no buffer, stays where it was made."""

    class Careless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift, self.logits = torch.ones(VOCABULARY), nn.Embedding(VOCABULARY, VOCABULARY)

        def forward(self, x: Tensor) -> Tensor:
            return self.logits(x) + self.shift

    with gpus():
        model = Careless().to(last_gpu())
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        train_language_model(model, optimizer, text(), RECIPE, context=CONTEXT, seed=0)


def without_room() -> None:
    """A run on a GPU of which this process gets next to nothing."""
    with gpus(1, memory=10_000):
        if not SIMULATED:
            torch.cuda.set_per_process_memory_fraction(1e-6)
        trained("cuda:0")


@dataclass(frozen=True)
class OnSimulatedGpus:
    """An executor whose worker has simulated GPUs; its records say the peak of what they held."""

    executor: Executor
    count: int
    memory: float

    def __call__(self, run: Run, worker: int) -> dict[str, Any]:
        """As the executor does it."""
        with simulated(self.count, self.memory) as made:
            told = self.executor(run, worker)
        busy = [i for i, operations in enumerate(made.operations) if operations]
        return told | {"origin": told["origin"] | {"busy": busy, "peak": max(made.peak)}}


def peak(run: Run, text_folder: Path) -> float:
    """Bytes that a run takes of a simulated GPU at most."""
    there = OnSimulatedGpus(Executor("cuda", text_folder), 1, math.inf)
    return there(run, 0)["origin"]["peak"]
