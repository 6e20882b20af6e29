"""A rule in the small GPT with some of its numbers changed: what is built, and how it trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from experiments.small_gpt import BASE_DEPTH, BASE_WIDTH, CONTEXT, RECIPE, STD, planned, shape, text
from specmup.models.gpt import GPT
from specmup.sweeps.run import RULES
from specmup.training.language import train_language_model


@dataclass(frozen=True)
class Ablation:
    """A rule, and powers of r by which its rates and starts are multiplied, by role or name.

    r is the ratio of a size to the base's, of depths or of widths.

    Args:
        rule: ``sp``, ``k1`` or ``k2``.
        rates: Of learning rates.
        stds: Of initial standard deviations.
        ratio: r itself, where it is not that of the sizes.
    """

    rule: str
    rates: Mapping[str, float] = field(default_factory=dict)
    stds: Mapping[str, float] = field(default_factory=dict)
    ratio: float | None = None


@dataclass(frozen=True)
class Setting:
    """One run of the small GPT.

    Args:
        ablation: A rule with some numbers changed, or its name alone.
        width: n. The r of an ablation is the ratio of whichever of the two sizes is not the base's.
        depth: Number L of blocks.
        log2_lr: Base-2 logarithm of the base's learning rate.
        seed: Of the initial weights and the windows.
        normalisation: ``layernorm`` or ``none``.
        optimizer: ``adamw`` or ``muon-kimi``.
    """

    ablation: Ablation | str
    width: int = BASE_WIDTH
    depth: int = BASE_DEPTH
    log2_lr: float = -8
    seed: int = 0
    normalisation: str = "layernorm"
    optimizer: str = "adamw"


def build(setting: Setting) -> tuple[GPT, torch.optim.Optimizer]:
    """The model of a setting at its start, and its optimizer."""
    ablation = setting.ablation
    if isinstance(ablation, str):
        ablation = Ablation(ablation)
    model = GPT(shape(setting.width, setting.depth, setting.normalisation))
    r = ablation.ratio or setting.width / BASE_WIDTH * setting.depth / BASE_DEPTH
    return model, planned(
        model,
        shape(BASE_WIDTH, BASE_DEPTH, setting.normalisation),
        setting.optimizer,
        setting.seed,
        learning_rate=_changed(2.0**setting.log2_lr, ablation.rates, r),
        std=_changed(STD, ablation.stds, r),
        **RULES[ablation.rule],
    )


def final_loss(setting: Setting) -> float:
    """Train it as the sweep does; the loss on held-out windows, ``inf`` if it diverged."""
    model, trainer = build(setting)
    history = train_language_model(
        model, trainer, text(), RECIPE, context=CONTEXT, seed=setting.seed, progress=False
    )
    return float(history.loss)


def _changed(value: float, powers: Mapping[str, float], r: float) -> dict[str, float]:
    return {**{name: value * r**power for name, power in powers.items()}, "*": value}
