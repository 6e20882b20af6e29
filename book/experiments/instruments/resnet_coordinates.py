"""The coordinate check: do features, and their changes, keep their size as the network grows?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from experiments.instruments.expansion import overall_rms
from specmup.data.images import Task
from specmup.models.resnet import ResNet, ResNetShape, build
from specmup.norms import or_inf
from specmup.runs.progress import progress_bar
from specmup.theory.rules import Rules, parametrizations
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import train
from specmup.training.scaling import Base, scale


def resnet_coordinates(
    task: Task,
    shape_of: Callable[[int, int], ResNetShape],
    *,
    rules: Sequence[str] | Mapping[str, Rules],
    optimizer: str,
    sizes: Sequence[tuple[int, int]],
    seeds: Sequence[int],
    base: Base,
    steps: int,
    batch_size: int,
    samples: int = 64,
    options: Mapping | None = None,
) -> pd.DataFrame:
    """Sizes of features and of their change, step by step, over widths and depths.

    Args:
        task: The data; the features are those of its first training samples.
        shape_of: The network at a width and depth.
        rules: Names of parametrizations (``sp``, ``k1``, ``k2``), or rules of one's own by name.
        optimizer: As in :func:`specmup.training.replicas.replica_optimizer`.
        sizes: Pairs (width, depth).
        seeds: One stacked replica each.
        base: The tuned model that the rules scale from.
        steps: Number of updates.
        batch_size: Samples an update.
        samples: How many samples the features are measured on.
        options: More options for the optimizer.

    Returns:
        One row a rule, size, seed, step (0 is the start) and feature (``first`` is h_0, ``middle``
        h_{L/2}, ``last`` h_L, and ``logits``), with ``size``, its RMS over samples and
        coordinates; ``change``, that of its difference from the start; and ``step_change``, that
        of its difference from the step before (0 at the start). Not finite means diverged: ``inf``.

    Raises:
        ValueError: If a list is empty or a number of steps or samples is below 1.
    """
    if not (rules and sizes and seeds) or min(steps, samples) < 1:
        raise ValueError(
            f"nothing to check: {len(rules)} rules, {len(sizes)} sizes, {len(seeds)} seeds, "
            f"{steps} steps, {samples} samples; give at least 1 of each"
        )
    rules = parametrizations(rules, optimizer)
    x, frames = task.train_x[:samples], []
    for rule, (width, depth) in progress_bar(list(product(rules, sizes)), desc="coordinates"):
        settings = scale(rules[rule], base, width=width, depth=depth)
        model = build(shape_of(width, depth), settings, list(seeds))
        trainer = replica_optimizer(model, settings, optimizer, **(options or {}))
        recorded: list[dict[str, Tensor]] = []
        train(
            model,
            trainer,
            task,
            steps=steps + 1,  # the last update is not looked at
            batch_size=batch_size,
            seeds=seeds,
            on_step=partial(_record, recorded, x),
            progress=False,
        )
        about = {"rule": rule, "optimizer": optimizer, "width": width, "depth": depth}
        frames.append(_coordinate_rows(recorded, seeds).assign(**about))
    return pd.concat(frames, ignore_index=True)


@torch.no_grad()
def _record(kept: list[dict[str, Tensor]], x: Tensor, step: int, model: ResNet) -> None:
    """Keep the followed features, each (R, samples, coordinates)."""
    stream = model.features(x)
    followed = {"first": stream[0], "middle": stream[len(stream) // 2], "last": stream[-1]}
    kept.append({name: h.clone() for name, h in followed.items()} | {"logits": model(x)})


def _coordinate_rows(recorded: list[dict[str, Tensor]], seeds: Sequence[int]) -> pd.DataFrame:
    rows = []
    for step, now in enumerate(recorded):
        before = recorded[max(step - 1, 0)]
        for name, h in now.items():
            columns = {
                "size": overall_rms(h),
                "change": overall_rms(h - recorded[0][name]),
                "step_change": overall_rms(h - before[name]),
            }
            values = {c: or_inf(v).tolist() for c, v in columns.items()}
            rows.append(
                pd.DataFrame({"seed": list(seeds), "step": step, "feature": name, **values})
            )
    return pd.concat(rows, ignore_index=True)
