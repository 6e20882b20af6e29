"""Carrying out one run of a sweep: what its workers do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from specmup.data.fingerprint import fingerprint
from specmup.data.text import KING_JAMES, Text, king_james
from specmup.data.token_files import token_files
from specmup.models.decoder import Decoder
from specmup.models.language import Shape, model_of
from specmup.parametrization.plan import Plan, make_plan
from specmup.runs.manifest import made_on
from specmup.runs.store import Store
from specmup.sweeps.run import OWN_OPTIONS, RULES, Run
from specmup.training.checkpoint import Checkpoint
from specmup.training.language import train_language_model

CHECKPOINT_EVERY = 250  # steps; shorter runs keep none
CURVE_POINTS = 32  # of the training loss that a record keeps
TAIL = 0.1  # part of the steps, the last ones, over which the training loss is averaged


def plan_of(run: Run, **numbers: Any) -> Plan:
    """The run's numbers for every parameter.

    Args:
        run: What is planned.
        numbers: What :func:`specmup.parametrization.plan.make_plan` is told in place of the run's
            own, such as a learning rate for every role.
    """
    rate, law = 2.0**run.log2_lr, run.law
    has_epsilon = law.epsilon is not None or law.matrices_only  # then AdamW beside it has one
    companion_rate = run.options.get("companion_rate", 1.0)
    epsilon = run.options.get("epsilon", run.base.get("epsilon")) if has_epsilon else None
    own: dict[str, Any] = {
        "learning_rate": {"hidden": rate, "*": companion_rate * rate},
        "std": run.base["std"],
        "weight_decay": run.weight_decay,
        "epsilon": epsilon,
    }
    return make_plan(
        _outline(run.shape),
        base=_outline(run.base_shape),
        optimizer=run.optimizer,
        **RULES[run.rule],
        verify=False,  # a model of ours, whose plan is held against its forward pass by a test
        **{**own, **numbers},
    )


def _outline(shape: Shape) -> Decoder:
    """A model without memory: a plan asks for names and shapes only."""
    with torch.device("meta"):
        return model_of(shape)


def start(run: Run, device: str = "cpu", **numbers: Any) -> tuple[Decoder, Optimizer]:
    """The model at its start, and its optimizer; the numbers are those of :func:`plan_of`."""
    plan, model = plan_of(run, **numbers), model_of(run.shape)
    plan.initialise(model, run.seed)
    model.to(device)
    options = {k: v for k, v in run.options.items() if k not in OWN_OPTIONS}
    companion = run.options.get("companion") if run.law.matrices_only else None
    return model, plan.optimizer(model, companion=companion, **options)


def execute(
    run: Run,
    *,
    device: str = "cpu",
    text_folder: Path | None = None,
    checkpoint: Checkpoint | None = None,
) -> dict[str, Any]:
    """Train, and say what came of it in values that JSON knows but for infinities.

    Args:
        run: What to do.
        device: Where.
        text_folder: Holds ``train.bin`` and ``val.bin``, for a text that is not built in.
        checkpoint: Where the state is kept meanwhile.

    Returns:
        ``loss`` on the validation windows and ``train_loss``, the mean of the last tenth of the
        steps, both ``inf`` for a run that diverged; ``diverged_at``, its step or -1; ``curve``,
        some training losses on the way, each the first of an equal part of the steps;
        ``validation``, by step; ``seconds`` in training.

    Raises:
        ValueError: If the text is missing or does not fit.
    """
    text = text_of_run(run, text_folder)
    model, optimizer = start(run, device)
    history = train_language_model(
        model,
        optimizer,
        text,
        run.recipe,
        context=run.shape.context,
        seed=run.seed,
        checkpoint=checkpoint,
        progress=False,
    )
    steps = run.recipe.steps
    tail = history.losses[-max(1, math.ceil(TAIL * steps)) :]
    return {
        "loss": history.loss,
        "train_loss": float(tail.mean()) if history.diverged_at is None else math.inf,
        "diverged_at": -1 if history.diverged_at is None else history.diverged_at,
        "curve": history.losses[:: math.ceil(steps / CURVE_POINTS)].tolist(),
        "validation": {str(step): loss for step, loss in history.validation.items()},
        "seconds": history.seconds,
    }


@dataclass(frozen=True)
class Executor:
    """Where runs are carried out.

    Args:
        device: ``cpu`` or ``cuda``; with several GPUs, worker i takes GPU i.
        text_folder: Of ``train.bin`` and ``val.bin``, for a text that is not built in.
        folder: Of the store, for checkpoints; None keeps none.
    """

    device: str = "cpu"
    text_folder: Path | None = None
    folder: Path | None = None

    def __call__(self, run: Run, worker: int) -> dict[str, Any]:
        """Carry out a run as the worker of that number; what a record keeps of it."""
        device = self.device
        if device == "cpu":
            torch.set_num_threads(1)
        elif device == "cuda":
            device = f"cuda:{worker % torch.cuda.device_count()}"
            torch.cuda.set_device(device)  # or what names no GPU would take memory on the first
        checkpoint = None
        if self.folder is not None:
            checkpoint = Checkpoint(Store(self.folder).checkpoint(run), CHECKPOINT_EVERY)
        result = execute(run, device=device, text_folder=self.text_folder, checkpoint=checkpoint)
        text = fingerprint(text_of_run(run, self.text_folder))
        return {"result": result, "origin": {**made_on(device), "text": text}}


def text_of_run(run: Run, folder: Path | None) -> Text:
    """What a run is trained on; read once a process.

    Raises:
        ValueError: As :func:`text_of` does.
    """
    return text_of(run.text["source"], run.text["vocabulary"], run.shape.context, folder)


@cache
def text_of(source: str, vocabulary: int, context: int, folder: Path | None) -> Text:
    """A text by its name; ``king-james`` is built in, others are token files in a folder.

    Raises:
        ValueError: If the files are missing or do not fit.
    """
    if source == KING_JAMES:
        return king_james(vocabulary)
    if folder is None:
        raise ValueError(
            f"the text {source!r} is not built in: name the folder of its train.bin and val.bin "
            "with --text-folder"
        )
    try:
        files = folder / "train.bin", folder / "val.bin"
        return token_files(*files, vocabulary=vocabulary, context=context, name=source)
    except FileNotFoundError as problem:
        raise ValueError(f"the text {source!r}: {problem}") from problem
