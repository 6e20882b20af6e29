"""Whose rules are these? One call from training code to the rules that it follows.

The code is a function from (width, depth) to a model and its optimizer. It is called at a few
sizes, everything that a rule decides is read off, and the powers are held against the condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import hypot
from typing import Any

import torch

from specmup.auditing.constants import constants_of
from specmup.auditing.judging import judged
from specmup.auditing.laws import checked
from specmup.auditing.needs import DEPTH, WIDTH, axes_of, pair_of
from specmup.auditing.reading import Build, OptimizerOf, Reading, read
from specmup.auditing.report import Audit
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.observation import Observation, as_seen, observe
from specmup.inspection.questions import Declaration
from specmup.inspection.verification import with_stream_norms
from specmup.tracing.examples import NotTraced

__all__ = ["Audit", "audit"]

# Two sizes have a power through any two values.
FEWEST = 3


def audit(
    build: Build,
    optimizer_of: OptimizerOf | None = None,
    *,
    widths: Sequence[int] = (64, 128, 256),
    depths: Sequence[int] = (2, 4, 8),
    optimizer: str | None = None,
    block_depth: int | None = None,
    branch_ends: str | Sequence[str] = (),
    places: Mapping[str, str] | None = None,
    example: Any = None,
    draws: int = 2,
) -> Audit:
    """Read training code off at several sizes, and say whose rules it follows.

    Widths are tried at the smallest depth, depths at the smallest width. Nothing is trained.

    Args:
        build: From (width, depth) to ``(model, optimizer)``; several optimizers are a list. It may
            give a model alone if ``optimizer_of`` is there.
        optimizer_of: From a model to its optimizer, or to several.
        widths: Three or more; a single one leaves the width unaudited.
        depths: Likewise.
        optimizer: The update law, a name in :data:`specmup.auditing.laws.KNOWN`, where the class of
            the optimizer does not tell it: whoever writes a Muon chooses its factor of the shape.
        block_depth: Number k of maps in a branch; known architectures need none.
        branch_ends: As of :func:`specmup.parametrization.plan.make_plan`.
        places: Likewise.
        example: An input of the models, to trace their forward pass on: a tensor, a tuple of
            arguments or a mapping by name. ``build`` may give one as a third, of its size. Without,
            token ids or numbers are tried.
        draws: How often each model is built: starts are drawn, and more draws are surer.

    Raises:
        ValueError: If the sizes are too few, ``build`` makes something else, or a parameter or an
            optimizer is not known; the message says what to declare.

    >>> import torch
    >>> from specmup.models.gpt import GPT, GPTShape
    >>> def build(width, depth):
    ...     model = GPT(GPTShape(64, 16, width, depth, head_dimension=16))
    ...     return model, torch.optim.AdamW(model.parameters(), lr=1e-3)
    >>> found = audit(build, widths=(16, 32, 64))
    >>> found.agrees, found.nearest["depth"]
    (False, 'no rule')
    """
    told = checked(optimizer)
    widths, depths = _sizes(WIDTH, widths), _sizes(DEPTH, depths)
    points = dict.fromkeys([*((w, depths[0]) for w in widths), *((widths[0], d) for d in depths)])
    points[widths[-1], depths[-1]] = None  # tells places, and whether width and depth are apart
    with torch.random.fork_rng():
        torch.manual_seed(0)
        readings = {
            (w, d): read(build, optimizer_of, w, d, told=told, draws=draws) for w, d in points
        }
    smallest, largest = (widths[0], depths[0]), (widths[-1], depths[-1])
    seen = _observed(readings[largest], readings[smallest], example)
    readings = {size: replace(r, spec=as_seen(r.spec, seen)) for size, r in readings.items()}
    declared = Declaration.of(branch_ends, places, block_depth)
    pair = pair_of(readings[largest], readings[smallest], declared, seen)
    if seen is not None:
        pair, _ = with_stream_norms(pair, seen.target, declared.places)
    readings = {size: _with_constants(pair, r, example) for size, r in readings.items()}
    base = readings[smallest].constants
    readings = {
        size: replace(r, constants=r.constants.beside(base)) for size, r in readings.items()
    }
    along = {
        WIDTH: [readings[w, depths[0]] for w in widths],
        DEPTH: [readings[widths[0], d] for d in depths],
    }
    axes = [axes_of(name, several, pair) for name, several in along.items() if len(several) > 1]
    return judged(pair, axes, readings[largest])


def _sizes(name: str, sizes: Sequence[int]) -> list[int]:
    found = sorted(set(sizes))
    if not found or found[0] < 1 or 1 < len(found) < FEWEST:
        raise ValueError(
            f"{name}s are {', '.join(map(str, sizes)) or 'none'}: give {FEWEST} or more, or a "
            f"single one if no rule for the {name} is asked for"
        )
    return found


def _observed(largest: Reading, smallest: Reading, example: Any) -> Observation | None:
    """Both forward passes; None where they do not run, which their constants' reading then says."""
    try:
        given = smallest.example if example is None else example
        return observe(largest.model, smallest.model, given)
    except NotTraced:
        return None


def _with_constants(pair: ModelPair, reading: Reading, example: Any) -> Reading:
    """A reading with its forward pass; a gain that is kept as 1 + w starts at what it acts as."""
    given = reading.example if example is None else example
    found = constants_of(reading.model, pair, given)
    numbers = {
        pattern: replace(own, start=hypot(own.start, found.offsets.get(pattern, 0.0)))
        for pattern, own in reading.numbers.items()
    }
    return replace(reading, numbers=numbers, constants=found)
