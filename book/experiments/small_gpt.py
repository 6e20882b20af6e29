"""The small GPT of ``book/sweeps/small.toml``, which states its numbers: what experiments take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from specmup.data.text import Text, king_james
from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.sweeps.configuration import read_sweep
from specmup.training.recipe import Recipe

_SWEEP = read_sweep(Path(__file__).parents[1] / "sweeps" / "small.toml")

VOCABULARY: int = _SWEEP.text["vocabulary"]
CONTEXT: int = _SWEEP.model["context"]
HEAD_DIMENSION: int = _SWEEP.model["head_dimension"]
BASE_WIDTH: int = _SWEEP.base["width"]
BASE_DEPTH: int = _SWEEP.base["depth"]
STD: float = _SWEEP.base["std"]
EPSILON: float = _SWEEP.base["epsilon"]
RECIPE = Recipe(**_SWEEP.training)
OPTIONS: Mapping[str, Mapping[str, Any]] = _SWEEP.optimizers


def text() -> Text:
    """What it reads."""
    return king_james(VOCABULARY)


def shape(width: int, depth: int, normalisation: str = "layernorm", **changed: Any) -> GPTShape:
    """The GPT of a size.

    Args:
        width: n.
        depth: Number L of blocks.
        normalisation: ``layernorm`` or ``none``.
        changed: Other options of the shape.
    """
    options = {**_SWEEP.model, "normalisation": normalisation, **changed}
    return GPTShape(vocabulary=VOCABULARY, width=width, depth=depth, **options)


def planned(model: GPT, base: GPTShape, optimizer: str, seed: int, **numbers: Any) -> Optimizer:
    """Draw the model's weights by a plan from the base; the optimizer with the plan's numbers.

    Args:
        model: Its weights are changed.
        base: What is scaled.
        optimizer: ``adamw`` or ``muon-kimi``.
        seed: Of the weights.
        numbers: Learning rates, the rule, and ``std`` if it is not the sweep's.
    """
    told = {"std": STD, "epsilon": EPSILON, **numbers}
    # Without the forward pass, which plans of sweeps leave out as well: it takes most of the time.
    plan = make_plan(model, base=lambda: GPT(base), optimizer=optimizer, verify=False, **told)
    plan.initialise(model, seed)
    return plan.optimizer(model, **OPTIONS[optimizer])
