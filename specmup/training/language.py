"""Training a language model: one loop for CPU and CUDA, which a stopped run takes up again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from specmup.data.fingerprint import fingerprint
from specmup.data.text import Text
from specmup.runs.progress import progress_bar
from specmup.streams import stream
from specmup.training.checkpoint import Checkpoint
from specmup.training.curvature import gauss_newton_bartlett, wants_curvature
from specmup.training.recipe import Recipe

LOOK_EVERY = 16  # steps between two looks at the losses, each of which waits for the device


@dataclass(frozen=True)
class History:
    """What a run left behind.

    Attributes:
        losses: Training losses (steps,), each before its update; ``inf`` from a divergence on.
        validation: Validation loss by the number of updates made.
        diverged_at: The first step whose loss was not finite; None if all were.
        seconds: Time taken, in however many sittings.
    """

    losses: Tensor
    validation: dict[int, float]
    diverged_at: int | None
    seconds: float

    @property
    def loss(self) -> float:
        """Validation loss after the last update; ``inf`` if the run diverged."""
        return math.inf if self.diverged_at is not None else self.validation[len(self.losses)]


def train_language_model(
    model: nn.Module,
    optimizer: Optimizer,
    text: Text,
    recipe: Recipe,
    *,
    context: int,
    seed: int,
    on_step: Callable[[int, nn.Module], object] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> History:
    """Minimise the cross-entropy of the next token.

    The learning rates that the optimizer holds are those at the peak of the schedule. On a CPU the
    same seed gives the same run to the last bit, also when it is stopped and taken up from a
    checkpoint; on CUDA this holds as far as its kernels are deterministic.

    Args:
        model: Gives logits (B, T, V) for tokens (B, T); on its device, changed in place.
        optimizer: Of the model's parameters, such as a plan makes. One with a
            ``curvature_period``, as Sophia has, is handed a Gauss–Newton–Bartlett estimate every so
            many steps.
        text: The tokens.
        recipe: How to train.
        context: Length T of a window.
        seed: Decides the windows.
        on_step: Called as ``on_step(step, model)`` after each backward pass, before the update.
        checkpoint: Where to keep the state; what is found there is gone on with.
        progress: Show a bar on a terminal.

    Returns:
        Losses on the way and on fixed windows. A run whose loss is not finite is ended within
        ``LOOK_EVERY`` steps; its losses are ``inf`` from there on.

    Raises:
        ValueError: If the text is shorter than a window, or the checkpoint is of another run.
    """
    starts = text.training_windows(context, recipe.batch_size, recipe.steps, seed)
    batches = _Batches(text, context, next(model.parameters()).device)
    peaks = [group["lr"] for group in optimizer.param_groups]
    if recipe.compile:
        _compile(model)
    run = {} if checkpoint is None else _identity(model, text, recipe, context, seed, peaks)
    state = _resumed(checkpoint, run, model, optimizer)
    losses, validation = state["losses"], state["validation"]
    began = time.monotonic() - state["seconds"]
    model.train()
    steps = range(len(losses), recipe.steps)
    for step in progress_bar(steps, desc="steps") if progress else steps:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * recipe.factor(step)
        optimizer.zero_grad()
        losses.append(_backward(model, batches, starts[step], recipe))
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        if on_step is not None:
            on_step(step, model)
        if wants_curvature(optimizer, step):
            labels = stream("labels", seed, step)  # its own, so that a run taken up draws the same
            optimizer.step(curvature=_curvature(model, batches, starts[step], recipe, labels))
        else:
            optimizer.step()
        done = step + 1
        look = done % LOOK_EVERY == 0 or done == recipe.steps
        if look and not torch.stack(losses[-LOOK_EVERY:]).isfinite().all():
            break
        if recipe.validate_every and done % recipe.validate_every == 0 and done < recipe.steps:
            validation[done] = validation_loss(model, text, recipe, context=context)
        if checkpoint is not None and checkpoint.due(done) and done < recipe.steps:
            history = {"losses": torch.stack(losses).tolist(), "validation": validation}
            history["seconds"] = time.monotonic() - began
            checkpoint.write(history | _states(model, optimizer), run)
    diverged_at, losses = _first_divergence(losses, recipe)
    if diverged_at is None:
        validation[recipe.steps] = validation_loss(model, text, recipe, context=context)
        if math.isinf(validation[recipe.steps]):  # the last update did it
            diverged_at = recipe.steps
    return History(losses, validation, diverged_at, time.monotonic() - began)


@torch.no_grad()
def validation_loss(model: nn.Module, text: Text, recipe: Recipe, *, context: int) -> float:
    """Mean cross-entropy on the recipe's fixed windows; ``inf`` if it is not finite."""
    batches = _Batches(text, context, next(model.parameters()).device)
    total = 0.0
    was_training = model.training
    model.eval()
    windows = text.fixed_windows(context, recipe.validation_windows)
    for some in windows.split(recipe.batch_size // recipe.accumulation):
        loss = _loss(model, *batches.of("val", some), recipe.autocast)
        total += float(loss) * len(some)
    model.train(was_training)
    mean = total / recipe.validation_windows
    return mean if math.isfinite(mean) else math.inf


class _Batches(NamedTuple):
    """Windows of a text, on a device."""

    text: Text
    context: int
    device: torch.device

    def of(self, split: str, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and next tokens, each (B, T)."""
        x, y = self.text.windows(split, starts, self.context)
        if self.device.type == "cuda":  # only out of pinned memory does a copy run by itself
            x, y = x.pin_memory(), y.pin_memory()
        return x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)


def _identity(
    model: nn.Module, text: Text, recipe: Recipe, context: int, seed: int, peaks: list[float]
) -> dict[str, Any]:
    """What two sittings of one run must have in common."""
    return asdict(recipe) | {
        "text": text.name,
        "content": fingerprint(text),
        "context": context,
        "seed": seed,
        "peaks": peaks,
        "parameters": [[name, list(p.shape)] for name, p in model.named_parameters()],
    }


def _states(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


def _resumed(
    checkpoint: Checkpoint | None, run: dict, model: nn.Module, optimizer: Optimizer
) -> dict:
    """Losses and validation so far; model and optimizer are put where they were."""
    state = None if checkpoint is None else checkpoint.read(run)
    if state is None:
        return {"losses": [], "validation": {}, "seconds": 0.0}
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    device = next(model.parameters()).device
    return state | {"losses": [torch.tensor(loss, device=device) for loss in state["losses"]]}


def _compile(model: nn.Module) -> None:
    """Compile the model's blocks in place, or all of it if it has none.

    Blocks are alike, so one compilation serves them all, where that of a whole model takes the
    longer the deeper it is. Names of parameters stay as they are.
    """
    for part in getattr(model, "blocks", [model]):
        part.compile()


def _backward(model: nn.Module, batches: _Batches, starts: Tensor, recipe: Recipe) -> Tensor:
    """Gradients of the batch's mean loss, part by part; the loss ()."""
    total = torch.zeros((), device=batches.device)
    for part in starts.chunk(recipe.accumulation):
        x, y = batches.of("train", part)  # each (B/parts, T)
        loss = _loss(model, x, y, recipe.autocast) / recipe.accumulation
        loss.backward()
        total = total + loss.detach()
    return total


def _curvature(
    model: nn.Module,
    batches: _Batches,
    starts: Tensor,
    recipe: Recipe,
    generator: torch.Generator,
) -> dict[Tensor, Tensor]:
    """The estimate for the batch, with labels drawn from the model's output."""
    x, _ = batches.of("train", starts)
    return gauss_newton_bartlett(_Flat(model), x, [generator], recipe.accumulation)


def _loss(model: nn.Module, x: Tensor, y: Tensor, autocast: bool) -> Tensor:
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=autocast):
        logits = model(x)  # (B, T, V)
    return F.cross_entropy(logits.float().flatten(0, 1), y.flatten())


class _Flat(nn.Module):
    """A model of sequences as one of samples: logits (B·T, V)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).flatten(0, 1)


def _first_divergence(losses: list[Tensor], recipe: Recipe) -> tuple[int | None, Tensor]:
    """The first step whose loss was not finite, and the losses (steps,), ``inf`` from there on."""
    kept = torch.full((recipe.steps,), torch.inf)
    kept[: len(losses)] = torch.stack(losses).float().cpu()
    if (finite := kept.isfinite()).all():
        return None, kept
    first = int((~finite).nonzero()[0])
    kept[first:] = torch.inf
    return first, kept
