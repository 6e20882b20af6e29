"""Chapters 13 and 14: learning-rate transfer of every optimizer, by rule and with norms enforced.

ReLU residual networks with two maps a branch learn digits for 50 steps. One base model is carried
to each size by ``sp``, by ``k2``, or by ``enforced``: the optimizer's step is then rescaled so that
‖ΔW‖_R is the swept rate times what the condition demands, with no rule for the optimizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from experiments.declared import Axes, Constant, Experiment, sizes
from experiments.instruments.enforced_replicas import enforced_replicas
from experiments.instruments.grids import extended
from experiments.instruments.networks import BASE_DEPTH, BASE_WIDTH, shape
from experiments.instruments.networks import base as usual_base
from specmup.data.images import digits
from specmup.optimizers.enforced import enforced_rules
from specmup.training.learning_rates import learning_rate_sweep
from specmup.training.replicas import replica_optimizer
from specmup.training.scaling import Base

STEPS, BATCH_SIZE = 50, 32
RULES = ("sp", "k2", "enforced")
# So small that it plays no part, under any rule: what is swept is the learning rate.
EPSILON = 1e-12

OPTIONS: Mapping[str, Mapping] = {
    "sgd": {"momentum": 0.9},
    "shampoo": {"period": 10},  # inverse roots at steps 1, 10, 20, …; SOAP's bases likewise
    "sso": {"tolerance": 1e-2},
}
# Learning rate of the hidden maps over that of AdamW on the rest, at the base. Muon's then equals
# Muon-Kimi's there: 0.2·√n.
HIDDEN_RATE = dict.fromkeys(("muon", "muon-original"), 0.2 * BASE_WIDTH**0.5)

# The lowest of the swept rates, as log2, under sp and k2 and with the norms enforced. Each grid has
# RATES doublings, and is extended where some seed's optimum sits on its edge. Cheap ones first.
LOWEST: Mapping[str, tuple[int, int]] = {
    "sgd": (-8, -7),
    "adamw": (-10, -7),
    "lion": (-11, -7),
    "sophia": (-12, -7),
    "adopt": (-10, -7),
    "lamb": (-9, -7),
    "lamb-clamped": (-9, -7),
    "muon-kimi": (-9, -8),
    "muon": (-9, -8),
    "shampoo": (-10, -6),
    "soap": (-10, -7),
    "sso": (-9, -8),
}
RATES, EXTENSION, MOST_EXTENSIONS = 5, 2, 3

# Some optimizers are one and the same here, and one stands for the others. Muon's factor of the
# shape is 1 on square matrices, and Muon-Kimi's depends on the width alone, which the rule takes
# out. A measured norm takes out every factor of a matrix, LAMB's trust ratio as well.
SAME = {
    ("muon", "k2"): "muon-kimi",
    ("muon", "enforced"): "muon-kimi",
    ("muon-original", "sp"): "muon",
    ("muon-original", "k2"): "muon-kimi",
    ("muon-original", "enforced"): "muon-kimi",
    ("lamb", "enforced"): "adamw",
    ("lamb-clamped", "enforced"): "adamw",
}

# Optimizers of matrices take longer, and so get fewer seeds; SSO, which searches for a multiplier
# at every step, smaller networks as well.
VECTOR = ["sgd", "adamw", "lion", "sophia", "adopt", "lamb", "lamb-clamped"]
MATRIX = ["muon-kimi", "muon", "shampoo", "soap"]


def sweep_one_size(
    *, optimizer: str, rule: str, width: int, depth: int, lowest: int, seeds: list[int]
) -> pd.DataFrame:
    """All learning rates and seeds of one rule at one size, the grid extended where it must be."""
    enforced = rule == "enforced"

    def swept(exponents: Sequence[int]) -> pd.DataFrame:
        return learning_rate_sweep(
            digits(),
            shape,
            rules={rule: enforced_rules(2)} if enforced else [rule],
            optimizer=optimizer,
            sizes=[(width, depth)],
            learning_rates=[2.0**e for e in exponents],
            seeds=seeds,
            base=base(1.0 if enforced else HIDDEN_RATE.get(optimizer, 1.0)),
            steps=STEPS,
            batch_size=BATCH_SIZE,
            options=OPTIONS.get(optimizer, {}),
            make_optimizer=enforced_replicas if enforced else replica_optimizer,
        )

    first = range(lowest, lowest + RATES)
    frame = extended(swept, first, by="log2_lr", rates=EXTENSION, most=MOST_EXTENSIONS)
    return frame.sort_values(["log2_lr", "seed"], ignore_index=True)


def base(hidden_rate: float = 1.0) -> Base:
    """Chapter 1's base model, with a small ε and the hidden maps at a rate of their own."""
    plain = usual_base()
    settings = {
        role: replace(s, learning_rate=hidden_rate if role == "hidden" else 1.0, epsilon=EPSILON)
        for role, s in plain.settings.items()
    }
    return replace(plain, settings=settings)


def slice_along(frame: pd.DataFrame, axis: str, rule: str, optimizer: str) -> pd.DataFrame:
    """The rows of one rule and optimizer along ``width`` (at the base depth) or ``depth``.

    Runs that stand for others are filled in: those at the base size for ``sp``, and those of
    another optimizer under :data:`SAME`.
    """
    at_base = frame.depth == BASE_DEPTH if axis == "width" else frame.width == BASE_WIDTH
    rows = frame[at_base]
    is_base = rows.width.eq(BASE_WIDTH) & rows.depth.eq(BASE_DEPTH)

    def stored(name: str) -> pd.Series:
        return rows.optimizer == SAME.get((optimizer, name), optimizer)

    chosen = rows.rule.eq(rule) & stored(rule)
    if rule == "sp":
        chosen |= rows.rule.eq("k2") & stored("k2") & is_base
    return rows[chosen].assign(rule=rule, optimizer=optimizer)


def _cases(optimizers: Sequence[str], at: Sequence[tuple[int, int]], seeds: int) -> Iterator[Axes]:
    """The rules of every optimizer at some sizes, but for runs that others stand for.

    At the base size ``sp`` is ``k2``, and some optimizers are the same everywhere: :func:`over`
    fills in the runs that stand for others.
    """
    for name in optimizers:
        yield {
            "optimizer": name,
            "width, depth, rule, lowest": [
                (*size, rule, LOWEST[name][rule == "enforced"])
                for size in at
                for rule in RULES
                if (name, rule) not in SAME and (rule, *size) != ("sp", BASE_WIDTH, BASE_DEPTH)
            ],
            "seeds": Constant(list(range(seeds))),
        }


_BASE_SIZE = BASE_WIDTH, BASE_DEPTH
_SIZES = sizes(_BASE_SIZE, [16, 32, 64, 128, 256], [4, 16, 64])
EXPERIMENT = Experiment(
    point=sweep_one_size,
    version=1,
    keys=("optimizer", "rule", "width", "depth", "log2_lr", "seed"),
    scales={
        "quick": [*_cases(["adamw"], sizes(_BASE_SIZE, [16, 32, 64]), 2)],
        "reference": [
            *_cases(VECTOR, _SIZES, 5),
            *_cases(MATRIX, _SIZES, 3),
            *_cases(["sso"], sizes(_BASE_SIZE, [16, 32, 64], [4, 16]), 3),
        ],
    },
)
