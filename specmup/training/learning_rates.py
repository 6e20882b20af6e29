"""Learning-rate sweeps: all rates and seeds of one size trained as one stacked model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product

import pandas as pd
import torch

from specmup.data.images import Task
from specmup.models.residual import ResidualNetwork, ResNetShape
from specmup.models.resnet import build
from specmup.runs.progress import progress_bar
from specmup.theory.rules import Rules, parametrizations
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import evaluate, train
from specmup.training.scaling import Base, Settings, scale


def ordinary_base(shape: ResNetShape) -> Base:
    """A base of the usual kind, to be tuned by its learning rate alone.

    Weights start with variance c/fan-in, where c = 2 for ReLU makes up for the half that it cuts
    off and c = 1 serves the other activations (input and output maps have c = 1). Branches are
    divided by the base's depth; no other multiplier is needed. All roles share one learning rate.

    Args:
        shape: The base network.
    """
    gain = 2.0 if shape.activation == "relu" else 1.0
    first = Settings(std=shape.inputs**-0.5, learning_rate=1.0)
    hidden = Settings(
        std=(gain / shape.width) ** 0.5, learning_rate=1.0, multiplier=1 / shape.depth
    )
    settings = {
        "input": first,
        "hidden": hidden,
        "output": Settings(std=shape.width**-0.5, learning_rate=1.0),
        "input_bias": replace(first, std=0.0),
        "hidden_bias": replace(hidden, std=0.0),
    }
    return Base(shape.width, shape.depth, settings)


def learning_rate_sweep(
    task: Task,
    shape_of: Callable[[int, int], ResNetShape],
    *,
    rules: Sequence[str] | Mapping[str, Rules],
    optimizer: str,
    sizes: Sequence[tuple[int, int]],
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    base: Base,
    steps: int,
    batch_size: int,
    options: Mapping | None = None,
    make_optimizer: Callable = replica_optimizer,
    memory: int = 2**30,
) -> pd.DataFrame:
    """Train every size under every rule at every learning rate with every seed.

    A swept rate multiplies the base's learning rates, and each rule carries the result to each
    size. So a ``log2_lr`` means the same base model at every size and under every rule.

    Args:
        task: The data.
        shape_of: The network at a width and depth.
        rules: Names of parametrizations (``sp``, ``k1``, ``k2``), or rules of one's own by name.
        optimizer: As in :func:`specmup.training.resnet.replica_optimizer`.
        sizes: Pairs (width, depth).
        learning_rates: Positive and increasing.
        seeds: Each decides initial weights and batches.
        base: The tuned model that the rules scale from.
        steps: Updates a run.
        batch_size: Samples a step.
        options: More options of the optimizer, such as ``{"betas": (0.9, 0.95)}``.
        make_optimizer: Called as ``make_optimizer(model, settings, optimizer, **options)``.
        memory: Bytes that a stack may take by estimate; more replicas are trained stack by stack.

    Returns:
        One row a run: rule, optimizer, block_depth, activation, width, depth, log2_lr, seed, steps,
        batch_size, dtype, loss (on the whole training set after the last step) and test_loss. Both
        losses are ``inf`` if the run diverged.

    Raises:
        ValueError: If a list is empty or the learning rates are not positive and increasing.
    """
    _check_grid(rules=rules, sizes=sizes, learning_rates=learning_rates, seeds=seeds)
    carry = parametrizations(rules, optimizer)
    runs = list(product(learning_rates, seeds))
    shapes = [shape_of(width, depth) for width, depth in sizes]
    stacks = [
        (rule, shape, stack)
        for rule, shape in product(rules, shapes)
        for stack in _split(runs, memory // replica_bytes(shape, batch_size))
    ]
    frames = []
    with progress_bar(total=len(stacks) * steps, desc="sweep", unit="step") as bar:
        for rule, shape, stack in stacks:
            bar.set_postfix_str(f"{rule}, width {shape.width}, depth {shape.depth}")
            rates, own_seeds = zip(*stack, strict=True)
            size = {"width": shape.width, "depth": shape.depth}
            settings = [scale(carry[rule], base.at_learning_rate(rate), **size) for rate in rates]
            model = build(shape, settings[0], own_seeds)
            trained = train(
                model,
                make_optimizer(model, settings, optimizer, **options or {}),
                task,
                steps=steps,
                batch_size=batch_size,
                seeds=own_seeds,
                on_step=lambda step, model: bar.update(),
                progress=False,
            )
            rows = {
                "rule": rule,
                "optimizer": optimizer,
                **_columns_of(shape),
                "log2_lr": [math.log2(rate) for rate in rates],
                "seed": own_seeds,
                "steps": steps,
                "batch_size": batch_size,
                "dtype": str(trained.dtype).removeprefix("torch."),
                **_final_losses(model, task, diverged=trained[-1].isinf()),
            }
            frames.append(pd.DataFrame(rows))
    return pd.concat(frames, ignore_index=True)


def replica_bytes(shape: ResNetShape, batch_size: int) -> int:
    """Estimated bytes that training one replica takes, in float32.

    Four tensors of the parameters' size (weights, gradients, two moments) and what the backward
    pass keeps: the stream, and each map's output before and after the activation.
    """
    parameters = sum(math.prod(size) for size in shape.parameters.values())
    kept = batch_size * shape.width * shape.depth * (2 * shape.block_depth + 1)
    return 4 * (4 * parameters + kept)


def _split(runs: list, most: int) -> list[list]:
    """Stacks of nearly equal sizes, none of them larger than ``most`` (at least 1)."""
    count = -(-len(runs) // max(1, most))
    bounds = [len(runs) * i // count for i in range(count + 1)]
    return [runs[a:b] for a, b in pairwise(bounds)]


def _columns_of(shape: ResNetShape) -> dict[str, int | str]:
    """What a row says of the network."""
    return {
        "block_depth": shape.block_depth,
        "activation": shape.activation,
        "width": shape.width,
        "depth": shape.depth,
    }


def _final_losses(
    model: ResidualNetwork, task: Task, diverged: torch.Tensor
) -> dict[str, list[float]]:
    """Each replica's loss on the training set and on the test set."""
    return {
        name: evaluate(model, *task.part(part)).masked_fill(diverged, torch.inf).tolist()
        for name, part in (("loss", "train"), ("test_loss", "test"))
    }


def _check_grid(*, learning_rates: Sequence[float], **others: Collection) -> None:
    for name, values in {"learning_rates": learning_rates, **others}.items():
        if not len(values):
            raise ValueError(f"{name} is empty: a sweep needs at least one")
    if not all(math.isfinite(rate) and rate > 0 for rate in learning_rates):
        raise ValueError(f"learning rates {list(learning_rates)} must be positive and finite")
    if any(b <= a for a, b in pairwise(learning_rates)):
        raise ValueError(f"learning rates {list(learning_rates)} must increase")
