"""Page *Models*: is what a plan says of other people's language models right?

Each causal language model of the installed transformers is made small and planned from a smaller
base, without a declaration. Where there is a plan, copies at three widths and at two depths take a
few steps of AdamW under it, and under the standard parametrization: each size's own start, one
rate. Followed are the stream behind the last block, the logits, and what each kind of parameter
changes of them when it alone is moved; told is with which exponents these go with the size.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import logging

from experiments.declared import Constant, Experiment, sizes
from experiments.instruments.copies_trained import Kinds, Sizes, moved
from experiments.instruments.small_copies import (
    TYPES,
    copy_of,
    small_config,
)
from experiments.reading.foreign import models
from specmup.analysis.interval import mean_interval
from specmup.inspection.questions import Undeclared
from specmup.parametrization.plan import Plan, make_plan

# The rate at the base, as part of what the entries of the median matrix start at.
STEP, EPSILON = 0.2, 1e-12
# The base's depth is doubled where its blocks do not show every kind that there is. Where something
# is not level, all depths but the base's are: what comes of few blocks fades so, as sums of what
# each learns by itself, which fall like a root beside what all learn alike.
TIMES = (1, 2, 4)
COLUMNS = ["way", "axis", "quantity", "what", "place", "exponent", "low", "high"]
NONE = "none"  # of what was not measured

Size = tuple[int, int]  # width and depth
Made = dict[Size, list[Sizes]]  # a run a seed


def hold_against_copies(
    *, model_type: str, widths: list[int], depths: list[int], seeds: list[int]
) -> pd.DataFrame:
    """What a plan says of a type, and the exponents of what is moved.

    Columns: model_type, ``verdict`` (planned, asks, refused, not built, not run), ``said`` (why),
    ``base_depth`` (blocks of the base), way (plan or sp), axis, quantity (stream or logits),
    ``what`` (start, change, or the kind of parameter that is moved alone), its ``place``, and
    ``exponent`` with the ends ``low`` and ``high`` of its interval over seeds: infinite where a run
    diverged, nan where nothing moves. A type without a plan has one row.
    """
    logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verdict, shown = NONE, 1
        for times in TIMES:
            shown = shown if verdict == "planned" else times
            base = (widths[0], shown * depths[0])
            verdict, said, rows = _judged(model_type, base, _lines(widths, depths, times), seeds)
            about: dict[str, Any] = {"model_type": model_type, "verdict": verdict, "said": said}
            about["base_depth"] = base[1]
            frame = pd.DataFrame(rows, columns=COLUMNS).assign(**about)
            (model,) = models(frame)
            settled = verdict == "planned" or (times > 1 and verdict != "refused")
            if settled and not model.strays:
                break
    return frame[[*about, *COLUMNS]]


def _lines(widths: list[int], depths: list[int], times: int) -> dict[str, list[Size]]:
    base, deep = (widths[0], times * depths[0]), [times * depth for depth in depths]
    return {"width": sizes(base, widths=widths), "depth": sizes(base, depths=deep)}


def _judged(
    model_type: str, base: Size, lines: Mapping[str, list[Size]], seeds: list[int]
) -> tuple[str, str, list]:
    """Verdict, reason and rows."""
    nothing = [(NONE, NONE, NONE, NONE, NONE, np.nan, np.nan, np.nan)]
    every = list(dict.fromkeys(size for line in lines.values() for size in line))
    try:
        config = small_config(model_type)
        small = copy_of(config, *base, seed=seeds[0])
        copies = {size: copy_of(config, *size, seed=seeds[0]) for size in every}
        _check_grown(copies, lines)
    except Exception as problem:  # of any kind: the model's code is not ours
        return "not built", _reason(problem), nothing
    try:
        rate = _rate(small)
        plans = {size: _plan(model, small, rate) for size, model in copies.items()}
    except Undeclared as problem:
        return "asks", _reason(problem), nothing
    except ValueError as problem:
        return "refused", _reason(problem), nothing
    made: dict[str, Made] = {"plan": {}, "sp": {}}
    places = {entry.pattern: entry.place for plan in plans.values() for entry in plan.entries}
    try:
        for size, plan in plans.items():
            made["sp"][size] = [_standard(copies[size], rate, seeds[0])]
            made["plan"][size] = [
                _by_block(_planned(copies[size], plan, seed), plan, size[1]) for seed in seeds
            ]
    except (RuntimeError, TypeError, IndexError, ValueError, AttributeError, KeyError) as problem:
        return "not run", _reason(problem), nothing
    return "planned", NONE, list(_rows(made, lines, places))


def _check_grown(copies: Mapping[Size, nn.Module], lines: Mapping[str, list[Size]]) -> None:
    """A size that a configuration takes, and that the model does not use, shows nothing."""
    for axis, line in lines.items():
        counts = [sum(p.numel() for p in copies[size].parameters()) for size in line]
        if len({*counts}) < len(counts):
            raise ValueError(f"its {axis} does not follow the configuration's")


def _reason(problem: Exception) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"


def _rate(base: nn.Module) -> float:
    sizes = [p.std().item() for p in base.parameters() if p.ndim > 1]
    return STEP * float(np.median([size for size in sizes if size > 0]))


def _plan(model: nn.Module, base: nn.Module, rate: float) -> Plan:
    return make_plan(model, base=base, verify=True, learning_rate=rate, epsilon=EPSILON)


def _standard(model: nn.Module, rate: float, seed: int) -> Sizes:
    """As the size starts of itself, one rate for all; the model is left as it was."""
    began = deepcopy(model.state_dict())
    trainer = torch.optim.AdamW(model.parameters(), lr=rate, eps=EPSILON, weight_decay=0.0)
    found = moved(model, trainer, seed)
    model.load_state_dict(began)
    return found


def _planned(model: nn.Module, plan: Plan, seed: int) -> Sizes:
    began = deepcopy(model.state_dict())  # of which a seeded start keeps what is no draw
    plan.initialise(model, seed)
    found = moved(model, plan.optimizer(model), seed, _kinds(model, plan))
    model.load_state_dict(began)
    return found


def _by_block(found: Sizes, plan: Plan, depth: int) -> Sizes:
    """As if every block had what only some have, which may differ from all others in kind.

    Where the embedding outweighs all branches, one block's part of a change is 1/L. In copies as
    small as these it does not, and the first block is part of the input, 1/√L of all that follows.
    The root stands between: what only one block has falls like a root or is level, and it grows
    like a root if it lacks the branch's multiplier.
    """
    counts = Counter(entry.pattern for entry in plan.entries if "*" in entry.pattern)
    return {
        (q, what): v * (depth / counts.get(what, depth)) ** 0.5 for (q, what), v in found.items()
    }


def _kinds(model: nn.Module, plan: Plan) -> Kinds:
    found: Kinds = {}
    for name, parameter in model.named_parameters():
        found.setdefault(plan[name].pattern, []).append(parameter)
    return found


def _rows(
    made: Mapping[str, Made], lines: Mapping[str, list[Size]], places: Mapping[str, str]
) -> Iterator[tuple]:
    for way, (axis, line) in product(made, lines.items()):
        grown = [size[axis == "depth"] for size in line]
        for what in dict.fromkeys(what for _, what in made[way][line[0]][0]):
            by_seed = {
                q: np.array([[one[q, what] for one in made[way][size]] for size in line])
                for q in ("stream", "logits")
            }
            if what in places:  # behind the last block, a kind moves the logits alone
                del by_seed["logits" if (by_seed["stream"] > 0).all() else "stream"]
            for quantity, values in by_seed.items():
                told = exponent(grown, values)
                yield (way, axis, quantity, what, places.get(what, NONE), *told)


def exponent(sizes: list[int], values: np.ndarray) -> tuple[float, float, float]:
    """The exponent of values (sizes, seeds), fitted seed by seed, and the ends of its interval.

    Infinite where a value is, nan where one is zero.
    """
    if not np.isfinite(values).all():
        return np.inf, np.inf, np.inf
    if not (values > 0).all():
        return np.nan, np.nan, np.nan
    slopes = np.polyfit(np.log(sizes), np.log(values), 1)[0]
    found = mean_interval(slopes)
    return found.estimate, found.low, found.high


_SIZES = {"widths": Constant([32, 64, 128]), "depths": Constant([2, 8])}
EXPERIMENT = Experiment(
    point=hold_against_copies,
    version=4,
    keys=("model_type", "way", "axis", "quantity", "what"),
    compared=("exponent",),
    rounded=True,
    scales={
        "quick": {"model_type": ["gpt2"], **_SIZES, "seeds": Constant(list(range(8)))},
        "reference": {"model_type": list(TYPES), **_SIZES, "seeds": Constant(list(range(8)))},
    },
)
