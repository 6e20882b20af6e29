"""Chapter to come: does weight decay transfer, over width and depth, and by whose rule?

A small GPT is trained at the base's tuned rate under several decays λ, so long that decay matters:
the sum of η·λ over the steps is about one in the middle of the grid. Beside the solver's rule for λ
stand those that others propose. All are the same at the base:

- ``solved``: what the condition gives, which for k ≥ 2 keeps η·λ;
- ``unchanged``: one λ for every size;
- ``square root``: λ ∝ √n in the blocks (2510.15262);
- ``independent``: η·λ is kept whatever η does (2510.19093), which for k ≥ 2 is the solver's rule.

Along the run, matrices are measured as these papers measure them
(:mod:`experiments.instruments.weights_along`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
from torch import Tensor

from experiments.brief_gpt import BASE_DEPTH, BASE_WIDTH, run_of, trained
from experiments.declared import Axes, Experiment
from experiments.instruments.rows import labelled
from experiments.instruments.weights_along import WeightsAlong
from specmup.parametrization.factors import Factors
from specmup.sweeps.run import Run
from specmup.sweeps.work import plan_of, text_of_run

STEPS = 500
LOOKS = 5  # at equal distances, the last at the end
PROBED_WINDOWS = 4
# Of the base, where the sweep of optimizers has its best; the other rates of Muon-Kimi are AdamW's.
LOG2_LR: Mapping[str, float] = {"adamw": -8, "muon-kimi": -6}
MATRICES: Mapping[str, str] = {
    "tokens": "tokens",
    "query": "attention.query",
    "value": "attention.value",
    "up": "mlp.up",
    "down": "mlp.down",
    "readout": "readout",
}

# What λ is multiplied by, given the plan's factors for a role, the role, and the ratio of widths.
Decay = Callable[[Factors, str, float], float]
DECAYS: Mapping[str, Decay] = {
    "solved": lambda factors, role, r_n: factors.weight_decay,
    "unchanged": lambda factors, role, r_n: 1.0,
    "square root": lambda factors, role, r_n: (
        r_n**0.5 if role == "hidden" else factors.weight_decay
    ),
    "independent": lambda factors, role, r_n: 1 / factors.learning_rate,
}


def train_with_decay(
    *,
    optimizer: str,
    rule: str,
    decay: str,
    width: int,
    depth: int,
    weight_decay: float,
    seed: int,
    steps: int = STEPS,
) -> pd.DataFrame:
    """One run: a row a look and matrix.

    Columns: optimizer, rule, decay (of :data:`DECAYS`), width, depth, weight_decay (of the base),
    seed, step, ``loss`` on held-out windows after it, matrix, and what
    :class:`~experiments.instruments.weights_along.WeightsAlong` measures of the matrix and of that
    step; ``inf`` from a divergence on.
    """
    every = steps // LOOKS
    run = run_of(
        *(rule, optimizer, LOG2_LR[optimizer]),
        width=width,
        depth=depth,
        seed=seed,
        weight_decay=weight_decay,
        steps=steps,
        validate_every=every,
    )
    moments = [every * look for look in range(1, LOOKS + 1)]
    along = WeightsAlong(MATRICES, probe(run), moments)
    model, history = trained(run, along, weight_decay=base_decays(run, decay))
    frame = pd.DataFrame(along.rows(model))
    everything = pd.MultiIndex.from_product([moments, MATRICES], names=["step", "matrix"])
    frame = frame.set_index(["step", "matrix"]).reindex(everything).fillna(float("inf"))
    losses = {**history.validation, steps: history.loss}
    frame.insert(0, "loss", [losses.get(step, float("inf")) for step, _ in everything])
    about = {"optimizer": optimizer, "rule": rule, "decay": decay, "width": width, "depth": depth}
    return labelled(frame.reset_index(), **about, weight_decay=weight_decay, seed=seed)


def base_decays(run: Run, decay: str) -> dict[str, float]:
    """The base's λ by role, such that the run's plan gives its size the λ that the rule asks for.

    Args:
        run: Its ``weight_decay`` is the base's.
        decay: One of :data:`DECAYS`.
    """
    wanted, r_n = DECAYS[decay], run.width / run.base["width"]
    factors = {e.role: e.factors for e in plan_of(run).values() if len(e.shape) == 2}
    return {
        role: run.weight_decay * wanted(own, role, r_n) / own.weight_decay
        for role, own in factors.items()
    }


def probe(run: Run) -> Tensor:
    """Fixed held-out windows, (B, T)."""
    text, context = text_of_run(run, None), run.shape.context
    return text.windows("val", text.fixed_windows(context, PROBED_WINDOWS), context)[0]


_SEEDS = {"seed": [0, 1]}
_NONE = {"weight_decay": 0.0, "decay": "solved"}
_BASE = {"width": BASE_WIDTH, "depth": BASE_DEPTH}
_GRID: Mapping[str, list[float]] = {
    "adamw": [0.5, 1.0, 2.0, 4.0],
    "muon-kimi": [0.0625, 0.125, 0.25, 0.5],
}


def _cases(optimizer: str, size: Mapping[str, int], asked: Mapping[str, list[str]]) -> list[Axes]:
    """Without decay, and over λ, for every rule and its rules of decay at one size."""
    told = {"optimizer": optimizer, **_BASE, **size}
    without: list[Axes] = [{**told, "rule": list(asked), **_NONE, **_SEEDS}]
    return without + [
        {**told, "rule": rule, "decay": decays, "weight_decay": _GRID[optimizer], **_SEEDS}
        for rule, decays in asked.items()
    ]


WIDE, DEEP = {"width": 256}, {"depth": 16}
EXPERIMENT = Experiment(
    point=train_with_decay,
    version=1,
    keys=(
        *("optimizer", "rule", "decay", "width", "depth", "weight_decay", "seed"),
        *("step", "matrix"),
    ),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {
            "optimizer": "adamw",
            **_BASE,
            "rule": "k2",
            "decay": "solved",
            "weight_decay": [1.0, 4.0],
            "seed": 0,
        },
        # At the base all rules are one. The others' rules over depth, and over the width of an SP
        # whose rate stays, say what some rule here says.
        "reference": [
            *_cases("adamw", {}, {"k2": ["solved"]}),
            *_cases(
                "adamw",
                WIDE,
                {"sp": ["solved", "square root"], "k2": ["solved", "unchanged", "square root"]},
            ),
            *_cases(
                "adamw",
                DEEP,
                {"sp": ["solved"], "k1": ["solved", "independent"], "k2": ["solved"]},
            ),
            *_cases("muon-kimi", {}, {"k2": ["solved"]}),
            *_cases("muon-kimi", WIDE, {"sp": ["solved"], "k2": ["solved", "unchanged"]}),
            *_cases(
                "muon-kimi",
                DEEP,
                {"sp": ["solved"], "k1": ["solved", "independent"], "k2": ["solved"]},
            ),
        ],
    },
)
