"""Chapter 23: does weight decay transfer, over width and depth, and by whose rule?

A small GPT is trained at the base's tuned rate under several decays λ, so long that decay matters:
the sum of η·λ over the steps is about one in the middle of the grid. Under one of these decays the
rate is swept as well: does it transfer with decay, and by whose rule for λ? Beside the solver's
stand those that others propose. All are the same at the base:

- ``solved``: what the condition gives, which for k ≥ 2 keeps η·λ;
- ``unchanged``: one λ for every size;
- ``square root``: λ ∝ √n in the blocks (2510.15262);
- ``independent``: η·λ is kept whatever η does (2510.19093), which for k ≥ 2 is the solver's rule.

The same paper says that μP's rates act as a longer warm-up would. So SP's rate is also swept with a
warm-up of half the run.

Along the run, matrices are measured as these papers measure them
(:mod:`experiments.instruments.weights_along`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from torch import Tensor, nn

from experiments.brief_gpt import BASE_DEPTH, BASE_WIDTH, run_of, trained
from experiments.declared import Axes, Experiment
from experiments.instruments.rows import labelled
from experiments.instruments.weights_along import WeightsAlong
from specmup.parametrization.factors import Factors
from specmup.sweeps.run import Run
from specmup.sweeps.work import plan_of, text_of_run
from specmup.training.language import validation_loss

# Updates after which a run is looked at: some early, where alignment is said to hold, then at equal
# distances to the end.
MOMENTS = (1, 10, 30, 100, 200, 300, 400, 500)
WARM_UP, LONG_WARM_UP = 50, 250  # steps
PROBED_WINDOWS = 4
# Of the base, where the sweep of optimizers has its best; the other rates of Muon-Kimi are AdamW's.
LOG2_LR: Mapping[str, int] = {"adamw": -8, "muon-kimi": -6}
SWEPT = 2.0  # the base's λ of AdamW under which its rate is swept: two forgettings in a run
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
    log2_lr: float,
    warm_up: int,
    seed: int,
    moments: Sequence[int] = MOMENTS,
) -> pd.DataFrame:
    """One run, which ends at the last of the moments: a row a moment and matrix.

    Columns: optimizer, rule, decay (of :data:`DECAYS`), width, depth, weight_decay and log2_lr (of
    the base), warm_up (in steps), seed, step, ``loss`` on held-out windows after it, matrix, and
    what :class:`~experiments.instruments.weights_along.WeightsAlong` measures of the matrix and of
    that step; ``inf`` from a divergence on.
    """
    run = run_of(
        *(rule, optimizer, log2_lr),
        width=width,
        depth=depth,
        seed=seed,
        weight_decay=weight_decay,
        steps=max(moments),
        warm_up=warm_up,
    )
    along, losses = WeightsAlong(MATRICES, probe(run), moments), {}

    def look(step: int, model: nn.Module) -> None:
        along(step, model)
        if step in moments:
            losses[step] = held_out_loss(run, model)

    model, history = trained(run, look, weight_decay=base_decays(run, decay))
    losses[max(moments)] = history.loss
    everything = pd.MultiIndex.from_product([moments, MATRICES], names=["step", "matrix"])
    frame = pd.DataFrame(along.rows(model)).set_index(["step", "matrix"])
    frame = frame.reindex(everything).fillna(float("inf"))
    frame.insert(0, "loss", [losses.get(step, float("inf")) for step, _ in everything])
    about = {"optimizer": optimizer, "rule": rule, "decay": decay, "width": width, "depth": depth}
    numbers = {"weight_decay": weight_decay, "log2_lr": log2_lr, "warm_up": warm_up}
    return labelled(frame.reset_index(), **about, **numbers, seed=seed)


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


def held_out_loss(run: Run, model: nn.Module) -> float:
    """What the run is judged by, of a model on the way."""
    text, context = text_of_run(run, None), run.shape.context
    return validation_loss(model, text, run.recipe, context=context)


_SEEDS = {"seed": [0, 1, 2]}  # Student's t of two is 12.7 standard errors wide, and says nothing
_BASE = {"width": BASE_WIDTH, "depth": BASE_DEPTH}
_GRID: Mapping[str, list[float]] = {
    "adamw": [0.5, 1.0, 2.0, 4.0],
    "muon-kimi": [0.0625, 0.25, 1.0],
}


def _case(
    optimizer: str, size: Mapping[str, int], rule: str, decay: str, decays: object, rates: object
) -> Axes:
    """The jobs of one rule and one rule of decay, of several seeds."""
    told = {"optimizer": optimizer, **_BASE, **size, "rule": rule, "decay": decay}
    return {**told, "weight_decay": decays, "log2_lr": rates, "warm_up": WARM_UP, **_SEEDS}


def _cases(optimizer: str, size: Mapping[str, int], asked: Mapping[str, list[str]]) -> list[Axes]:
    """Without decay, and over λ, for every rule and its rules of decay at one size."""
    rate = LOG2_LR[optimizer]
    return [
        _case(optimizer, size, rule, decay, grid, rate)
        for rule, decays in asked.items()
        for decay, grid in [("solved", 0.0), *((decay, _GRID[optimizer]) for decay in decays)]
    ]


BETWEEN, WIDE, DEEP = {"width": 128}, {"width": 256}, {"depth": 16}
_RATES, _SP_RATES = [-10, -9, -8, -7], [-11, -10, -9, -8]
# By rule and rule of decay: the rates that are swept on the wide model under SWEPT.
_SWEEPS: Mapping[tuple[str, str], list[int]] = {
    ("sp", "solved"): _SP_RATES,
    ("k2", "solved"): _RATES,
    ("k2", "square root"): _RATES,
    # With a longer memory the steps are smaller beside the weight: its best rate may be higher.
    ("k2", "unchanged"): [*_RATES, -6],
}
EXPERIMENT = Experiment(
    point=train_with_decay,
    version=2,
    keys=(
        *("optimizer", "rule", "decay", "width", "depth", "weight_decay", "log2_lr", "warm_up"),
        *("seed", "step", "matrix"),
    ),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {**_case("adamw", {}, "k2", "solved", [1.0, 4.0], -8), "seed": 0},
        # At the base all rules are one. Over depth that of k ≥ 2 says what the others say, and so
        # does SP over width, whose rate stays. What others propose, they propose for AdamW.
        "reference": [
            *_cases("adamw", {}, {"k2": ["solved"]}),
            *_cases(
                *("adamw", WIDE),
                {"sp": ["solved"], "k2": ["solved", "unchanged", "square root"]},
            ),
            *_cases(
                *("adamw", DEEP),
                {"sp": ["solved"], "k1": ["solved", "independent"], "k2": ["solved"]},
            ),
            *(
                _case("adamw", BETWEEN, "k2", decay, [SWEPT, 2 * SWEPT], LOG2_LR["adamw"])
                for decay in ("solved", "square root", "unchanged")
            ),
            _case("adamw", BETWEEN, "k2", "solved", 0.0, LOG2_LR["adamw"]),
            _case("adamw", {}, "k2", "solved", [0.0, SWEPT], _RATES),
            # Without decay the best rate is higher, and so is SP's on the wide model with decay.
            *(_case("adamw", size, "k2", "solved", 0.0, -6) for size in ({}, WIDE)),
            _case("adamw", WIDE, "sp", "solved", SWEPT, -7),
            *(_case("adamw", WIDE, *rules, SWEPT, rates) for rules, rates in _SWEEPS.items()),
            _case("adamw", WIDE, "sp", "solved", 0.0, _SP_RATES),
            _case("adamw", WIDE, "k2", "solved", 0.0, _RATES),
            {**_case("adamw", {}, "sp", "solved", SWEPT, _RATES), "warm_up": LONG_WARM_UP},
            {**_case("adamw", WIDE, "sp", "solved", SWEPT, _SP_RATES), "warm_up": LONG_WARM_UP},
            *_cases("muon-kimi", {}, {"k2": ["solved"]}),
            *_cases("muon-kimi", WIDE, {"sp": ["solved"], "k2": ["solved", "unchanged"]}),
            *_cases("muon-kimi", DEEP, {"sp": ["solved"], "k1": ["solved"], "k2": ["solved"]}),
        ],
    },
)
