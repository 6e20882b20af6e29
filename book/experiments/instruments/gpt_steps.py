"""The first steps of a small GPT on real text, at constant learning rates, to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from experiments.small_gpt import CONTEXT, text
from specmup.models.gpt import GPT
from specmup.norms import rms_norm
from specmup.probes.coordinate_check import cross_entropy

STEPS, BATCH_SIZE, PROBED_WINDOWS = 10, 8, 4
# Of the base. The loss falls from the first step to the last, and a step of either optimizer moves
# the hidden matrices about as far.
LEARNING_RATE: Mapping[str, Any] = {
    "adamw": 2.0**-9,
    "muon-kimi": {"hidden": 2.0**-5, "*": 2.0**-9},
}


def trained(model: GPT, trainer: torch.optim.Optimizer, seed: int) -> Iterator[int]:
    """Train, and stop to be looked at: the number of steps made, from 0 to :data:`STEPS`."""
    windows = text().training_windows(CONTEXT, BATCH_SIZE, STEPS, seed)
    yield 0
    for step in range(1, STEPS + 1):
        trainer.zero_grad()
        cross_entropy(model, *text().windows("train", windows[step - 1], CONTEXT)).backward()
        trainer.step()
        yield step


def probe() -> tuple[Tensor, Tensor]:
    """Fixed held-out windows to look at models on: tokens and next tokens, each (B, T)."""
    return text().windows("val", text().fixed_windows(CONTEXT, PROBED_WINDOWS), CONTEXT)


def rms(h: Tensor) -> Tensor:
    """Root mean square () of all entries, summed up in double precision."""
    return rms_norm(h.double().flatten())
