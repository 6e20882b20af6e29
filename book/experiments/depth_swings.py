"""Chapter 13: optimizers whose best rate is said to oscillate with the depth, and AdamW.

ReLU residual networks with two maps a branch learn digits for 50 steps. One base model of 4 blocks
is carried to depths from 4 to 128, a doubling apart, by ``k2`` or ``sp``, and its learning rate is
swept in half octaves, further where some seed's optimum sits on the edge of its grid. The clamp of
LAMB cuts norms off at 10, and matrices of width 64 start with the norm 8: it gets the width 128,
where it binds. :mod:`experiments.reading.swings` says what an oscillation is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from experiments.declared import Axes, Constant, Experiment
from experiments.instruments.grids import extended
from experiments.instruments.networks import base, shape
from specmup.data.images import digits
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.scaling import Base

STEPS, BATCH_SIZE = 50, 32
DEPTHS = [4, 8, 16, 32, 64, 128]
# So small that it plays no part: what is swept is the learning rate.
EPSILON = 1e-12
OPTIONS: Mapping[str, Mapping] = {"shampoo": {"period": 10}}  # inverse roots at steps 1, 10, …

# Width, number of seeds, and the lowest swept rate in half octaves: −18 is the rate 2^-9.
RUNS: Mapping[str, tuple[int, int, int]] = {
    "adamw": (64, 10, -19),
    "adopt": (64, 10, -19),
    "lamb": (64, 10, -17),
    "lamb-clamped": (128, 8, -17),
    "shampoo": (64, 8, -18),
}
RATES, EXTENSION, MOST_EXTENSIONS = 6, 2, 6


def sweep_one_depth(
    *, optimizer: str, rule: str, width: int, depth: int, lowest: int, seeds: list[int]
) -> pd.DataFrame:
    """All learning rates and seeds of one rule at one depth, the grid extended where it must be.

    Args:
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        rule: ``k2`` or ``sp``.
        width: Of this network and of the base.
        depth: Number of blocks.
        lowest: The lowest rate, as log2, in half octaves.
        seeds: Each decides start and batches.
    """

    def swept(half_octaves: Sequence[int]) -> pd.DataFrame:
        return learning_rate_sweep(
            digits(),
            shape,
            rules=[rule],
            optimizer=optimizer,
            sizes=[(width, depth)],
            learning_rates=[2 ** (e / 2) for e in half_octaves],
            seeds=seeds,
            base=base_at(width),
            steps=STEPS,
            batch_size=BATCH_SIZE,
            options=OPTIONS.get(optimizer, {}),
        ).assign(half_octaves=lambda f: (2 * f.log2_lr).round().astype(int))

    first = range(lowest, lowest + RATES)
    frame = extended(swept, first, by="half_octaves", rates=EXTENSION, most=MOST_EXTENSIONS)
    frame["log2_lr"] = frame.half_octaves / 2
    rows = frame.drop(columns="half_octaves")
    return rows.sort_values(["log2_lr", "seed"], ignore_index=True)


def base_at(width: int) -> Base:
    """The usual base of 4 blocks at a width, with a small ε."""
    plain = base()
    settings = {role: replace(s, epsilon=EPSILON) for role, s in plain.settings.items()}
    for role in ("hidden", "output"):
        settings[role] = replace(settings[role], std=width**-0.5)
    return replace(plain, width=width, settings=settings)


def _case(optimizer: str, rule: str, depths: Sequence[int] = DEPTHS, seeds: int = 0) -> Axes:
    width, usual, lowest = RUNS[optimizer]
    return {
        "optimizer": optimizer,
        "rule": rule,
        "width": width,
        "depth": list(depths),
        "lowest": lowest,
        "seeds": Constant(list(range(seeds or usual))),
    }


EXPERIMENT = Experiment(
    point=sweep_one_depth,
    version=1,
    keys=("optimizer", "rule", "width", "depth", "log2_lr", "seed"),
    scales={
        "slice": _case("adopt", "k2", [4, 8], 2),
        "quick": [_case("adamw", rule, [4, 8, 16], 2) for rule in ("k2", "sp")],
        "reference": [
            *(_case(name, "k2") for name in RUNS),
            *(_case(name, "sp") for name in ("adamw", "adopt")),
        ],
    },
)
