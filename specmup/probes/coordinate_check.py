"""The coordinate check on anybody's model: do its features change alike at every size?

Small copies of a model, of several widths at one depth and several depths at one width, take a few
training steps. Followed are the residual stream after the last block, the last attention logits
and the model's output. Under rules that hold, how far each of them moves does not depend on the
size (yang2022; zheng2026, Fig. 2); under the standard parametrization it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specmup.norms import or_inf
from specmup.probes.followed import Features, followed, output_of
from specmup.runs.progress import progress_bar
from specmup.streams import stream

Batch = tuple[Tensor, Tensor]


class PlanLike(Protocol):
    """What the check needs of a plan; :class:`specmup.parametrization.plan.Plan` has both."""

    def initialise(self, model: nn.Module, seed: int) -> object:
        """Draw the model's weights."""

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer with the plan's parameter groups."""


def coordinate_check(
    factory: Callable[[int, int], nn.Module],
    plans: Mapping[str, Callable[[nn.Module], PlanLike]],
    batches: Callable[[torch.Generator], Batch],
    *,
    sizes: Iterable[tuple[int, int]],
    seeds: Sequence[int],
    steps: int = 5,
    features: Callable[[nn.Module, Tensor], Features] | None = None,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
) -> pd.DataFrame:
    """Sizes of features, and of their change since the start, over widths and depths.

    Args:
        factory: Makes the model of a width and depth; it is trained :func:`without_dropout`.
        plans: By name, what makes the plan of a model that the factory made.
        batches: Draws inputs and targets; :func:`token_batches` is one.
        sizes: Pairs (width, depth); see :func:`axes`.
        seeds: One run each: weights and data.
        steps: Number of updates, all at the plan's constant learning rates.
        features: What to follow on a fixed batch, by name, as tensors of any shape; by default
            :func:`specmup.probes.followed.followed`.
        loss: Of a batch; by default the mean cross-entropy of the model's output.

    Returns:
        One row a plan (``rule``), width, depth, seed, ``step`` (0 is the start) and ``feature``,
        with ``size``, its root mean square over all entries, and ``change``, that of its
        difference from the start. What is not finite is ``inf``: the run diverged.

    Raises:
        ValueError: If a list is empty, or ``steps`` is below 1.

    >>> from specmup import make_plan
    >>> from specmup.models.gpt import GPT, GPTShape
    >>> def build(width, depth):
    ...     return GPT(GPTShape(16, 8, width, depth, head_dimension=4))
    >>> def plan_of(model):
    ...     return make_plan(model, base=build(8, 1), learning_rate=0.01, std=0.1)
    >>> found = coordinate_check(
    ...     build, {"k2": plan_of}, token_batches(16, 8, 4), sizes=[(8, 1)], seeds=[0], steps=2
    ... )
    >>> sorted(set(found.step))
    [0, 1, 2]
    """
    sizes, features, loss = list(sizes), features or followed, loss or cross_entropy
    if not (plans and sizes and seeds) or steps < 1:
        raise ValueError(
            f"nothing to check: {len(plans)} plans, {len(sizes)} sizes, {len(seeds)} seeds, "
            f"{steps} steps; give at least 1 of each"
        )
    frames = []
    runs = list(product(plans, sizes, seeds))
    for rule, (width, depth), seed in progress_bar(runs, desc="check"):
        model = without_dropout(factory(width, depth))  # which would pass for a change
        plan = plans[rule](model)
        plan.initialise(model, seed)
        run = _train(model, plan.optimizer(model), batches, seed, steps, features, loss)
        frames.append(_rows(run).assign(rule=rule, width=width, depth=depth, seed=seed))
    return pd.concat(frames, ignore_index=True)


def without_dropout(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, in place, but for what normalises by the batch.

    By statistics that nothing has gathered yet a BatchNorm would normalise nothing: that would be
    another network. One that is in evaluation mode before stays there.
    """
    gathers = [
        m for m in model.modules() if m.training and m._buffers.get("running_mean") is not None
    ]
    model.eval()
    for module in gathers:
        module.training = True
    return model


def axes(widths: Sequence[int], depths: Sequence[int]) -> list[tuple[int, int]]:
    """Every width at the first depth, and every depth at the first width."""
    return [(n, depths[0]) for n in widths] + [(widths[0], depth) for depth in depths[1:]]


def token_batches(vocabulary: int, length: int, count: int) -> Callable[[torch.Generator], Batch]:
    """Batches of made-up text, in which every second token on average follows from the last one.

    So there is something to learn that all samples share: gradients of different steps agree, as
    they do on real text, instead of cancelling.

    Args:
        vocabulary: Number of tokens.
        length: Context length T.
        count: Batch size B.

    Returns:
        A function of a generator that gives tokens and next tokens, both (B, T).
    """

    def draw(generator: torch.Generator) -> Batch:
        tokens = torch.randint(vocabulary, (count, length + 1), generator=generator)
        follows = torch.rand(count, length + 1, generator=generator) < 0.5
        for t in range(length):
            successor = (5 * tokens[:, t] + 1) % vocabulary
            tokens[:, t + 1] = torch.where(follows[:, t + 1], successor, tokens[:, t + 1])
        return tokens[:, :-1], tokens[:, 1:]

    return draw


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of the model's output (…, classes) at targets y (…).

    A model that, given no targets, answers at the last position alone, as nanoGPT does, is held
    against the last target.
    """
    logits = output_of(model(x))
    if logits.dim() == 3 and logits.shape[1] == 1 < y.shape[1]:
        y = y[:, -1:]
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


def _train(model, optimizer, batches, seed, steps, features, loss) -> list[Features]:
    """The features at the start and after each step."""
    generator = stream("check", seed)
    fixed, _ = batches(generator)
    recorded = [_record(model, fixed, features)]
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model, *batches(generator)).backward()
        optimizer.step()
        recorded.append(_record(model, fixed, features))
    return recorded


@torch.no_grad()
def _record(model: nn.Module, x: Tensor, features: Callable) -> Features:
    return {name: value.double().clone() for name, value in features(model, x).items()}


def _rows(recorded: list[Features]) -> pd.DataFrame:
    rows = [
        {"step": step, "feature": name, "size": _rms(h), "change": _rms(h - recorded[0][name])}
        for step, now in enumerate(recorded)
        for name, h in now.items()
    ]
    return pd.DataFrame(rows)


def _rms(h: Tensor) -> float:
    return or_inf(h.square().mean().sqrt()).item()
