"""The GPT and the brief training of ``book/sweeps/optimizers.toml``: what experiments take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.run import Run
from specmup.sweeps.work import start, text_of_run
from specmup.training.language import History, train_language_model

_SWEEP = read_sweep(Path(__file__).parents[1] / "sweeps" / "optimizers.toml")

TEXT: Mapping[str, Any] = _SWEEP.text
MODEL: Mapping[str, Any] = _SWEEP.model
BASE: Mapping[str, Any] = _SWEEP.base
BASE_WIDTH: int = BASE["width"]
BASE_DEPTH: int = BASE["depth"]
TRAINING: Mapping[str, Any] = _SWEEP.training
OPTIONS: Mapping[str, Mapping[str, Any]] = _SWEEP.optimizers


def run_of(
    rule: str,
    optimizer: str,
    log2_lr: float,
    *,
    width: int = BASE_WIDTH,
    depth: int = BASE_DEPTH,
    seed: int = 0,
    weight_decay: float = 0.0,
    **training: Any,
) -> Run:
    """A run as the sweep would make it, but for its training.

    Args:
        rule: A key of :data:`specmup.sweeps.run.RULES`.
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        log2_lr: Base-2 logarithm of the base's learning rate.
        width: n.
        depth: L.
        seed: Of the initial weights and of the windows.
        weight_decay: Of the base.
        training: What differs from the sweep's ``[training]``. Where the number of steps does, a
            tenth of them is the warm-up, as it is there.
    """
    if "steps" in training:
        training = {"warm_up": training["steps"] // 10, **training}
    return Run(
        text=TEXT,
        model=MODEL,
        base=BASE,
        training={**TRAINING, **training},
        rule=rule,
        optimizer=optimizer,
        options=OPTIONS.get(optimizer, {}),
        width=width,
        depth=depth,
        log2_lr=float(log2_lr),
        weight_decay=float(weight_decay),
        seed=seed,
    )


def trained(
    run: Run, on_step: Callable[[int, nn.Module], object] | None = None, **numbers: Any
) -> tuple[nn.Module, History]:
    """Carry a run out; the model at its end, and the losses on the way.

    Args:
        run: What to do.
        on_step: Called after each backward pass, before the update.
        numbers: As :func:`specmup.sweeps.work.plan_of` takes them.
    """
    model, optimizer = start(run, **numbers)
    history = train_language_model(
        model,
        optimizer,
        text_of_run(run, None),
        run.recipe,
        context=run.shape.context,
        seed=run.seed,
        on_step=on_step,
        progress=False,
    )
    return model, history
