"""Chapter 16: what tells the rules for depth apart in a GPT, one number at a time.

In a GPT with LayerNorm the rules for depth are one network that differs in a few numbers. Written
as k ≥ 2, and with r the ratio of the depths, SP has an embedding that starts and learns r times
smaller; k = 1, tuned √r higher, has an embedding that starts √r times smaller and a readout that
learns √r times faster. Here each of these numbers is changed alone. Without LayerNorm k ≥ 2 differs
from k = 1 by blocks that learn √r times faster behind a multiplier √r times smaller; there some of
its maps are slowed to the rate of k = 1. Model, text and training are those of
``book/sweeps/small.toml``, so that sweep's runs of the unchanged rules stand beside these.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from experiments.gpt_coordinates import (
    BASE_DEPTH,
    CONTEXT,
    EPSILON,
    OPTIONS,
    RULES,
    STD,
    VOCABULARY,
    shape,
)
from experiments.gpt_coordinates import BASE_WIDTH as WIDTH
from specmup.data.text import king_james
from specmup.models.gpt import GPT
from specmup.parametrization.plan import make_plan
from specmup.runs.experiment import ExperimentResult, run_experiment
from specmup.training.language import train_language_model
from specmup.training.recipe import Recipe

RECIPE = Recipe(steps=250, batch_size=16, warm_up=25, validation_windows=256)


class Part(NamedTuple):
    """A rule, and powers of r by which its rates and starts are multiplied, by role or name.

    r is the ratio of a size to the base's, of depths or of widths.

    Attributes:
        rule: ``sp``, ``k1`` or ``k2``.
        rates: Of learning rates.
        stds: Of initial standard deviations.
        ratio: r itself, where it is not that of the sizes.
    """

    rule: str
    rates: Mapping[str, float]
    stds: Mapping[str, float]
    ratio: float | None = None


EMBEDDING, READOUT = ("input",), ("output", "norm.weight")  # the last norm's gain goes with W
PARTS: Mapping[str, Part] = {
    "sp, fast embedding": Part("sp", dict.fromkeys(EMBEDDING, 1), {}),
    "sp, large embedding": Part("sp", {}, dict.fromkeys(EMBEDDING, 1)),
    "sp, both": Part("sp", dict.fromkeys(EMBEDDING, 1), dict.fromkeys(EMBEDDING, 1)),
    "k2, fast readout": Part("k2", dict.fromkeys(READOUT, 0.5), {}),
    "k2, fast readout at the base": Part("k2", dict.fromkeys(READOUT, 0.5), {}, ratio=16),
    "k2, small embedding": Part("k2", {}, dict.fromkeys(EMBEDDING, -0.5)),
    "k2, both": Part("k2", dict.fromkeys(READOUT, 0.5), dict.fromkeys(EMBEDDING, -0.5)),
    "k2, slow queries and keys": Part("k2", {"*query*": -0.5, "*key*": -0.5}, {}),
    "k2, slow values and outputs": Part("k2", {"*value*": -0.5, "*attention.out*": -0.5}, {}),
    "k2, slow perceptrons": Part("k2", {"*mlp.up*": -0.5, "*mlp.down*": -0.5}, {}),
}
SP_PARTS = ["sp, fast embedding", "sp, large embedding"]
K2_PARTS = ["k2, fast readout", "k2, small embedding"]
SLOW = [name for name in PARTS if "slow" in name]

SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [
            {
                "parts": ["k2, fast readout at the base"],
                "depth": 2,
                "log2_lr": [-9],
                "seeds": [0],
            }
        ],
    },
    "reference": {
        "cases": [
            {"parts": SP_PARTS[:1], "depth": 32, "log2_lr": [-10], "seeds": [0, 1, 2]},
            {"parts": SP_PARTS, "depth": 32, "log2_lr": [-9, -8, -7], "seeds": [0, 1, 2]},
            {"parts": K2_PARTS, "depth": 32, "log2_lr": [-10, -9, -8, -7], "seeds": [0, 1, 2]},
            # Both numbers at once make the other rule, but for clipping and LayerNorm's own ε.
            {"parts": ["sp, both"], "depth": 32, "log2_lr": [-8], "seeds": [0, 1, 2]},
            {"parts": ["k2, both"], "depth": 32, "log2_lr": [-9], "seeds": [0, 1, 2]},
            {"parts": SP_PARTS, "depth": 8, "log2_lr": [-8], "seeds": [0, 1, 2]},
            # Is the readout's rate well tuned where all rules are one?
            {
                "parts": ["k2, fast readout at the base"],
                "depth": BASE_DEPTH,
                "log2_lr": [-11, -10, -9, -8, -7],
                "seeds": [0, 1, 2],
            },
            # The base's best rate without LayerNorm, at which k ≥ 2 diverges.
            {
                "parts": SLOW,
                "depth": 32,
                "log2_lr": [-6],
                "seeds": [0, 1, 2],
                "normalisation": "none",
            },
        ],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("part", "normalisation", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale.

    Columns: part (of :data:`PARTS`), normalisation, depth, log2_lr, seed, and ``loss`` on held-out
    windows after the last step, ``inf`` for a run that diverged.
    """
    jobs = [
        {
            "part": part,
            "normalisation": case.get("normalisation", "layernorm"),
            "depth": case["depth"],
            "log2_lr": log2_lr,
            "seed": seed,
        }
        for case in SCALES[scale_name]["cases"]
        for part in case["parts"]
        for log2_lr in case["log2_lr"]
        for seed in case["seeds"]
    ]
    return run_experiment(train_part, jobs, VERSION, folder=folder, workers=workers)


def train_part(
    part: str, normalisation: str, depth: int, log2_lr: float, seed: int
) -> pd.DataFrame:
    """One run: its row."""
    loss = final_loss(PARTS[part], WIDTH, depth, log2_lr, seed, normalisation)
    about = {"part": part, "normalisation": normalisation, "depth": depth, "log2_lr": log2_lr}
    return pd.DataFrame([{**about, "seed": seed, "loss": loss}])


def final_loss(
    part: Part,
    width: int,
    depth: int,
    log2_lr: float,
    seed: int,
    normalisation: str = "layernorm",
    optimizer: str = "adamw",
) -> float:
    """Train what :func:`begin` begins; the loss on held-out windows."""
    model, trainer = begin(part, width, depth, log2_lr, seed, normalisation, optimizer)
    text = king_james(VOCABULARY)
    history = train_language_model(
        model, trainer, text, RECIPE, context=CONTEXT, seed=seed, progress=False
    )
    return float(history.loss)


def begin(
    part: Part | str,
    width: int,
    depth: int,
    log2_lr: float,
    seed: int,
    normalisation: str = "layernorm",
    optimizer: str = "adamw",
) -> tuple[GPT, torch.optim.Optimizer]:
    """A model at its start, and its optimizer.

    Args:
        part: A rule with some numbers changed, or its name alone.
        width: n. A part's r is the ratio of whichever of the two sizes is not the base's.
        depth: Number L of blocks.
        log2_lr: Base-2 logarithm of the base's learning rate.
        seed: Of the initial weights.
        normalisation: ``layernorm`` or ``none``.
        optimizer: ``adamw`` or ``muon-kimi``.
    """
    rule, rates, stds, ratio = Part(part, {}, {}) if isinstance(part, str) else part
    r = ratio or width / WIDTH * depth / BASE_DEPTH
    plan = make_plan(
        _outline(width, depth, normalisation),
        base=_outline(WIDTH, BASE_DEPTH, normalisation),
        optimizer=optimizer,
        learning_rate=_changed(2.0**log2_lr, rates, r),
        std=_changed(STD, stds, r),
        epsilon=EPSILON,
        **RULES[rule],
    )
    model = plan.initialise(GPT(shape(width, depth, normalisation)), seed)
    return model, plan.optimizer(model, **OPTIONS[optimizer])


def _changed(value: float, powers: Mapping[str, float], r: float) -> dict[str, float]:
    return {**{name: value * r**power for name, power in powers.items()}, "*": value}


def _outline(*sizes: int | str) -> GPT:
    with torch.device("meta"):
        return GPT(shape(*sizes))
