"""Chapter 21: is it better to tune the large model, or to tune a small one and carry its numbers?

Two models that specmup has no code for (:mod:`experiments.instruments.brought`) are trained with
AdamW at four numbers: the learning rate, the size of the start, and the rates of the embedding and
of the readout beside it. A run is tuned *as it is* where its base is its own size: then there is no
rule, and the four numbers are the model's own. Else a plan carries the base's numbers to it.

All points of one grid are stored, of the bases, of the large model as it is and of the large model
under the plan. So what a search with any budget would have found is read out of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from experiments.declared import Constant, Experiment
from experiments.instruments.brought import BETAS, MODELS
from experiments.instruments.rows import labelled
from specmup.parametrization.plan import Plan, make_plan

LARGE = (128, 8)
BASE = (32, 2)
OTHER_BASES = [(16, 2), (64, 4)]


def tune_rate(
    *,
    model: str,
    base_width: int,
    base_depth: int,
    width: int,
    depth: int,
    start: float,
    embedding: float,
    readout: float,
    log2_lrs: list[int],
    seed: int,
) -> pd.DataFrame:
    """All learning rates of one model, with the other numbers as they are: a row a run.

    Columns: model (of :data:`~experiments.instruments.brought.MODELS`), base_width, base_depth,
    width, depth, ``start``, ``embedding``, ``readout`` (times what the base starts with of itself,
    and times its learning rate), log2_lr, seed, ``loss`` on held-out samples to choose by,
    ``test_loss`` on others to report, both ``inf`` for a run that diverged, and the ``flops`` of
    the run.
    """
    of, size, base = MODELS[model], (width, depth), (base_width, base_depth)
    rows = []
    for log2_lr in log2_lrs:
        rate = 2.0**log2_lr
        rates = {"input": rate * embedding, "output": rate * readout, "*": rate}
        plan = plan_of(model, base, size, start=start, learning_rate=rates)
        network = plan.initialise(of.made(*size), seed)
        of.train(network, plan.optimizer(network, betas=BETAS), seed)
        rows.append({"log2_lr": log2_lr, "seed": seed, **of.losses(network)})
    about = {"model": model, "base_width": base_width, "base_depth": base_depth}
    numbers = {"start": start, "embedding": embedding, "readout": readout}
    frame = labelled(pd.DataFrame(rows), **about, width=width, depth=depth, **numbers)
    return frame.assign(flops=float(of.flops(*size)))


def plan_of(
    model: str, base: tuple[int, int], size: tuple[int, int], *, start: float = 1.0, **numbers: Any
) -> Plan:
    """The plan from a base to a size, for a base that starts ``start`` times as large as of itself.

    Args:
        model: One of :data:`~experiments.instruments.brought.MODELS`.
        base: Width and depth of what is tuned.
        size: Of what is planned.
        start: What the entries of the base's matrices are multiplied by.
        numbers: As :func:`specmup.make_plan` takes them.
    """
    of = MODELS[model]
    small, large = of.made(*base), of.made(*size)
    own = make_plan(small, base=small, **of.declared)
    sizes = {e.pattern: e.init_std for e in own.entries if len(e.shape) == 2}
    stds = {pattern: start * std for pattern, std in sizes.items() if std is not None}
    return make_plan(large, base=small, std=stds, **of.declared, **numbers)


# Wide enough that the best rate of the base and that of the large model as it is both lie inside.
_RATES: Mapping[str, range] = {"residual": range(-11, -3), "llama": range(-9, -3)}
# The pixels' map learns too fast beside the blocks, the bytes' embedding too slowly.
_NUMBERS: Mapping[str, Mapping[str, list[float]]] = {
    "residual": {"start": [1.0, 4.0, 16.0], "embedding": [0.25, 1.0], "readout": [0.25, 1.0]},
    "llama": {"start": [1.0, 4.0], "embedding": [1.0, 4.0], "readout": [1.0, 4.0]},
}
_SEEDS: Mapping[str, int] = {"residual": 4, "llama": 3}
_SIZES = "base_width, base_depth, width, depth"


def _told(model: str) -> Mapping[str, Any]:
    return {"model": model, "log2_lrs": Constant(list(_RATES[model]))}


def _cases(model: str) -> list[Mapping[str, Any]]:
    """All four numbers of the base and of the large model; of other bases rate and start."""
    told = {"seed": list(range(_SEEDS[model])), **_told(model), **_NUMBERS[model]}
    others = [pair for base in OTHER_BASES for pair in ((*base, *base), (*base, *LARGE))]
    return [
        {**told, _SIZES: [(*BASE, *BASE), (*LARGE, *LARGE), (*BASE, *LARGE)]},
        {**told, "embedding": 1.0, "readout": 1.0, _SIZES: others},
    ]


_PLAIN_BASE = {"embedding": 1.0, "readout": 1.0, _SIZES: [(*BASE, *BASE)]}
EXPERIMENT = Experiment(
    point=tune_rate,
    version=1,
    keys=(
        *("model", "base_width", "base_depth", "width", "depth"),
        *("start", "embedding", "readout", "log2_lr", "seed"),
    ),
    compared=("loss", "test_loss"),
    rounded=True,
    scales={
        "quick": [
            {**_told("residual"), "start": [1.0, 4.0], "seed": [0, 1], **_PLAIN_BASE},
            {**_told("llama"), "start": 4.0, "seed": 0, **_PLAIN_BASE},
        ],
        "reference": [*_cases("residual"), *_cases("llama")],
    },
)
