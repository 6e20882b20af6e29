"""A few steps of a small copy of a language model: what moves, and what each parameter adds to it.

A coordinate check of the stream and the logits sees what moves them most, and a parameter whose
rate is wrong can hide behind the others. So each kind of parameter is also put to where training
has taken it while all others stand where they began: what that changes is the parameter's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from experiments.instruments.small_copies import CONTEXT, VOCABULARY
from specmup.norms import or_inf
from specmup.probes.coordinate_check import cross_entropy, token_batches
from specmup.probes.followed import followed
from specmup.streams import stream

BATCH, STEPS = 8, 3
# What a kind changes alone, as part of the whole: less is what rounding leaves, as of key biases.
SEEN = 1e-5
BATCHES = token_batches(VOCABULARY, CONTEXT, BATCH)

Kinds = dict[str, list[nn.Parameter]]
Sizes = dict[tuple[str, str], float]


def moved(
    model: nn.Module, trainer: torch.optim.Optimizer, seed: int, kinds: Kinds | None = None
) -> Sizes:
    """Train for some steps and say what was moved.

    Args:
        model: Started; it is trained in the mode that it is in.
        trainer: Of all its parameters.
        seed: Of the data.
        kinds: Parameters by what they are called, each of which is also moved alone.

    Returns:
        Root mean squares of the ``stream`` behind the last block and of the ``logits``, by
        (quantity, what): ``start``, ``change``, and what a kind changes alone, by its name.
    """
    generator = stream("check", seed)
    x, _ = BATCHES(generator)
    start = _features(model, x)
    began = {p: p.detach().clone() for some in (kinds or {}).values() for p in some}
    for _ in range(STEPS):
        trainer.zero_grad()
        cross_entropy(model, *BATCHES(generator)).backward()
        trainer.step()
    found = {(name, "start"): _rms(h) for name, h in start.items()}
    now = _features(model, x)
    found |= {(name, "change"): _rms(now[name] - h) for name, h in start.items()}
    for kind, change in _alone(kinds or {}, began, lambda: _features(model, x)):
        alone = {name: _rms(change[name] - h) for name, h in start.items()}
        found |= {(n, kind): v if v > SEEN * found[n, "start"] else 0.0 for n, v in alone.items()}
    return found


@torch.no_grad()
def _alone(
    kinds: Kinds, began: dict[nn.Parameter, Tensor], look: Callable[[], dict[str, Tensor]]
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """What is seen where one kind has moved and all others have not."""
    ended = {p: p.detach().clone() for p in began}
    for p, value in began.items():
        p.copy_(value)
    for kind, some in kinds.items():
        for p in some:
            p.copy_(ended[p])
        yield kind, look()
        for p in some:
            p.copy_(began[p])


@torch.no_grad()
def _features(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    found = followed(model, x)
    return {"stream": found["last"].double(), "logits": found["logits"].double()}


def _rms(h: Tensor) -> float:
    return or_inf(h.square().mean().sqrt()).item()
