"""Chapter 13: every optimizer's update norms and feature changes, over width and over depth.

ReLU residual networks with one or two maps a branch and with biases learn the digits for 20 steps
under the rules of their block depth. Every step is measured role by role
(:mod:`experiments.instruments.updates`). What is kept of a run is its first step that moves
anything and the mean over its second half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from experiments.declared import Constant, Experiment, sizes
from experiments.instruments.networks import BASE_DEPTH, BASE_WIDTH, CLASSES, INPUTS
from experiments.instruments.rows import labelled
from experiments.instruments.updates import MEASURED, StepRecorder
from specmup.data.images import digits
from specmup.models.resnet import ResNetShape, build
from specmup.theory.rules import Rules, parametrization
from specmup.theory.update import LAWS
from specmup.training.learning_rates import ordinary_base
from specmup.training.replicas import replica_optimizer
from specmup.training.resnet import train
from specmup.training.scaling import Base, scale

STEPS, BATCH_SIZE = 20, 64
LATE = 10  # steps after this one are late
FIRST = ("update", "change", "update_rank", "gradient_rank")  # kept of the first moving step
PROBE_SAMPLES = 64

# Rates of the hidden maps at which the base model learns in 20 steps without overshooting, for one
# map and for two. An optimizer that trains everything has this rate in every role.
LEARNING_RATE = {
    "sgd": 2.0**-5,
    "adamw": 2.0**-8,
    "lion": 2.0**-9,
    "sophia": 2.0**-10,
    "adopt": 2.0**-7,
    "lamb": 2.0**-7,
    "lamb-clamped": 2.0**-7,
    "muon-kimi": 2.0**-6,
    "muon": 2.0**-5,
    "shampoo": 2.0**-2,
    "soap": 2.0**-8,
    "sso": 2.0**-7,
}
COMPANION_RATE = 2.0**-8  # of AdamW, beside an optimizer of hidden matrices
# Small beside what it is added to: an entry of G for most, its square or that of ‖G‖₂ for these.
EPSILON = {"sophia": 1e-12, "shampoo": 1e-6}
OPTIONS: Mapping[str, Mapping] = {"sgd": {"momentum": 0.9}, "sso": {"tolerance": 1e-2}}
NO_MOMENTUM: Mapping[str, Mapping] = {
    "sgd": {"momentum": 0.0},
    "adamw": {"betas": (0.0, 0.999)},
    "lamb": {"betas": (0.0, 0.999)},
    "soap": {"betas": (0.0, 0.95)},
}
ALL_SAMPLES = 1437
# Size of a batch, and whether there is momentum.
VARIANTS = {
    "standard": (BATCH_SIZE, True),
    "batches of 8": (8, True),
    "all samples": (ALL_SAMPLES, True),
    "no momentum": (BATCH_SIZE, False),
    "all samples, no momentum": (ALL_SAMPLES, False),
}

VECTOR = ["sgd", "adamw", "lion", "sophia", "adopt", "lamb", "lamb-clamped"]
MATRIX = ["muon-kimi", "muon", "soap"]


def train_and_measure(
    *,
    optimizer: str,
    block_depth: int,
    width: int,
    depth: int,
    seeds: list[int],
    variant: str = "standard",
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Train one stack of replicas, one a seed, and measure every step.

    Columns: optimizer, block_depth, variant (of :data:`VARIANTS`), width, depth, seed, role,
    learning_rate (of the role), loss (before the last step), first_step (the first that moved the
    role), each of :data:`FIRST` at that step, and each of
    :data:`experiments.instruments.updates.MEASURED` with ``_late``: its mean over steps 11 to 20.
    ``rules`` replaces those of the block depth, to see what a wrong rule does.
    """
    task = digits()
    batch_size, momentum = VARIANTS[variant]
    options = {**OPTIONS.get(optimizer, {}), **({} if momentum else NO_MOMENTUM[optimizer])}
    rules = parametrization(f"k{block_depth}", optimizer) if rules is None else rules
    settings = scale(rules, base(optimizer, block_depth), width=width, depth=depth)
    model = build(shape(block_depth, width, depth), settings, seeds)
    recorder = StepRecorder(task.train_x[:PROBE_SAMPLES])
    losses = train(
        model,
        replica_optimizer(model, settings, optimizer, **options),
        task,
        steps=STEPS,
        batch_size=batch_size,
        seeds=seeds,
        on_step=recorder,
        progress=False,
    )
    frame = _windows(recorder.frame(model))
    frame = labelled(
        frame.drop(columns="replica"),
        seed=frame.replica.map(dict(enumerate(seeds))),
        role=frame.role,
        learning_rate=frame.role.map({r: s.learning_rate for r, s in settings.items()}),
        loss=frame.replica.map(dict(enumerate(losses[-1].tolist()))),
    )
    about = {"optimizer": optimizer, "block_depth": block_depth, "variant": variant}
    return labelled(frame, **about, width=width, depth=depth)


def shape(block_depth: int, width: int, depth: int) -> ResNetShape:
    """A ReLU network for digits; a branch of one map has its mean subtracted (yang2024)."""
    return ResNetShape(
        *(INPUTS, width, depth, CLASSES, block_depth, "relu"),
        mean_subtraction=block_depth == 1,
        bias=True,
    )


def base(optimizer: str, block_depth: int) -> Base:
    """The base model with the optimizer's learning rates and ε."""
    plain = ordinary_base(shape(block_depth, BASE_WIDTH, BASE_DEPTH))
    own = {"learning_rate": LEARNING_RATE[optimizer], "epsilon": EPSILON.get(optimizer, 1e-8)}
    rest = {"learning_rate": COMPANION_RATE} if LAWS[optimizer].matrices_only else own
    settings = {
        role: replace(s, **(own if role == "hidden" else rest))
        for role, s in plain.settings.items()
    }
    return replace(plain, settings=settings)


def _windows(steps: pd.DataFrame) -> pd.DataFrame:
    """The first step that moves a role, and the mean over late steps: a row a replica and role."""
    run = ["replica", "role"]
    moved = steps[steps["update"] > 0].sort_values("step").groupby(run, sort=False)
    first = moved[["step", *FIRST]].first()
    first.columns = ["first_step", *(f"{name}_first" for name in FIRST)]
    late = steps[steps.step > LATE].groupby(run, sort=False)[list(MEASURED)].mean()
    return first.join(late.add_suffix("_late")).reset_index()


_BASE_SIZE, _FEW = (BASE_WIDTH, BASE_DEPTH), Constant([0, 1, 2])
_PLAIN = {"variant": "standard", "block_depth": [1, 2]}
_TWO = {"optimizer": ["adamw", "soap"], **_PLAIN, "depth": BASE_DEPTH, "seeds": Constant([0, 1])}
_SIZES = sizes(_BASE_SIZE, [64, 96, 128, 192, 256, 384, 512], [4, 6, 8, 12, 16, 24, 32, 48, 64])
_FEWER = sizes(_BASE_SIZE, [32, 48, 64, 96, 128, 192, 256], [4, 8, 16, 32, 64])
_ALL = {**_PLAIN, "width, depth": _SIZES}
EXPERIMENT = Experiment(
    point=train_and_measure,
    version=1,
    keys=("optimizer", "block_depth", "variant", "width", "depth", "seed", "role"),
    compared=("update_late", "change_late"),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": {**_TWO, "width": [64, 96, 128]},
        "slice": {**_TWO, "width": BASE_WIDTH},
        "reference": [
            {"optimizer": VECTOR, **_ALL, "seeds": Constant([0, 1, 2, 3])},
            {"optimizer": MATRIX, **_ALL, "seeds": _FEW},
            # These decompose every matrix at every step, or search for a multiplier.
            {"optimizer": ["shampoo", "sso"], **_PLAIN, "width, depth": _FEWER, "seeds": _FEW},
            {
                "optimizer": list(NO_MOMENTUM),
                "variant": [variant for variant in VARIANTS if variant != "standard"],
                "block_depth": 2,
                "width": [64, 96, 128, 192, 256],
                "depth": BASE_DEPTH,
                "seeds": _FEW,
            },
        ],
    },
)
