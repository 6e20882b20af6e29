"""A sweep's rehearsal: two steps of every kind of run on a tiny model, before hours go into any.

Only the libraries know which values their optimizers take, and only a plan knows which roles have
a std or an ε. So each kind is tried: what fails here would fail in every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from specmup.data.text import KING_JAMES
from specmup.sweeps.configuration import Sweep
from specmup.sweeps.run import Run
from specmup.sweeps.schema import place, short
from specmup.sweeps.work import start, text_of_run

VOCABULARY = CONTEXT = 8
HEAD = 4
STEPS = 2  # an optimizer may only fill its averages in the first
LOG2_LR = -12.0


def rehearse(sweep: Sweep, text_folder: Path | None = None) -> None:
    """Try every kind of run, and read the texts in a folder that is given.

    Raises:
        ValueError: If one cannot be carried out; the message names the value that stands in the way
            if it can be found.
    """
    tried = set()
    for run in _kinds(sweep):
        if run.identity not in tried and (problem := _fails(run)):
            raise ValueError(f"{_culprit(run)}: a small model cannot be trained so: {problem}")
        tried.add(run.identity)
    if text_folder is not None and sweep.text["source"] != KING_JAMES:
        contexts = {{**sweep.model, **grid.model}["context"]: grid for grid in sweep.grid}
        for grid in contexts.values():
            curve = next(sweep.families(grid))[0]
            text_of_run(curve.run(grid.log2_lr[0], grid.seeds[0]), text_folder)


def _kinds(sweep: Sweep) -> Iterator[Run]:
    """A tiny run of every rule, optimizer and table of options."""
    for grid in sweep.grid:
        for family in sweep.families(grid):
            run = family[0].run(LOG2_LR, 0)
            width = HEAD * run.model.get("group", 1)  # queries that share a key need a head each
            yield replace(
                run,
                text={**run.text, "vocabulary": VOCABULARY},
                model={**run.model, "context": CONTEXT, "head_dimension": HEAD},
                base={**run.base, "width": width, "depth": 1},
                training={},
                width=2 * width,
                depth=2,
                weight_decay=float(run.weight_decay > 0),
            )


def _fails(run: Run) -> str | None:
    """What goes wrong in a few steps; None if nothing does."""
    tokens = torch.arange(CONTEXT)[None] % VOCABULARY
    try:
        model, optimizer = start(run)
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
            optimizer.step()
    except Exception as problem:  # of any kind: the libraries' own
        return str(problem).partition("\n")[0] or type(problem).__name__
    if not all(p.isfinite().all() for p in model.parameters()):
        return "its weights are no longer finite after two steps"
    return None


def _culprit(run: Run) -> str:
    """The value without which a run would go well, if a single one is to blame."""
    blamed: dict[str, Any] = {}
    for key, value in run.options.items():
        without = {k: v for k, v in run.options.items() if k != key}
        blamed[_assigned(("optimizers", run.optimizer, key), value)] = {"options": without}
    for key, harmless in (("std", {"std": 0.02}), ("epsilon", {})):
        rest = {k: v for k, v in run.base.items() if k != key}
        blamed[_assigned(("base", key), run.base.get(key))] = {"base": rest | harmless}
    for said, change in blamed.items():
        if _fails(replace(run, **change)) is None:
            return said
    return (
        f"rule {run.rule}, optimizer {run.optimizer}, {_listed(run.options)}, {_listed(run.base)}"
    )


def _assigned(steps: tuple[str, ...], value: Any) -> str:
    return f"{place(*steps)} is {short(value)}"


def _listed(table: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {short(value)}" for key, value in table.items())
