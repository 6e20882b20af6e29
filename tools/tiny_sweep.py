"""A sweep of milliseconds, whose command runs and collects it where :mod:`squares` lets it run.

Its runs train nothing, but keep their state on the way as training does, and are taken up from it.
"""

from __future__ import annotations

import os
import tomllib
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from squares import note

from specmup.__main__ import main
from specmup.runs.pool import SerialPool
from specmup.sweeps import rehearsal, runner, work
from specmup.sweeps.configuration import sweep_from
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.run import Run
from specmup.training.checkpoint import Checkpoint

STORE = Path("_build") / "sweeps" / "tiny"
FILE = """
name = "tiny"
scale = "quick"
text = { source = "counting", vocabulary = 16 }
model = { context = 8, head_dimension = 4 }
base = { width = 8, depth = 1, std = 0.1 }
training = { steps = 4, batch_size = 4, validation_windows = 8 }
optimizers.adamw = {}
[[grid]]
rules = ["k2"]
optimizers = ["adamw"]
widths = [8]
log2_lr = [-8, -6, -4]
seeds = [0]
"""
LAZY = ("collect", "record_check", "tables")  # the command imports them where it needs them


def trained(run: Run, *, checkpoint: Checkpoint, **_: object) -> dict[str, Any]:
    """What stands in for training: a sum over the steps, kept every second one."""
    note(run.log2_lr)
    told = {"rate": run.log2_lr}
    losses = list((checkpoint.read(told) or {"losses": []})["losses"])
    for step in range(len(losses) + 1, run.recipe.steps + 1):
        losses.append(-run.log2_lr / step + sum(losses))
        if checkpoint.due(step):
            checkpoint.write({"losses": losses, "weights": torch.zeros(5000)}, told)
    return {"loss": losses[-1], "train_loss": losses[-1], "diverged_at": -1, "seconds": 0.1}


def prepare() -> None:
    """Make this process one whose children can be the command that makes this sweep."""
    runner.run_sweep = partial(runner.run_sweep, make_pool=SerialPool)
    rehearsal.rehearse = lambda *_: None
    work.execute, work.CHECKPOINT_EVERY = trained, 2
    for name in LAZY:
        import_module(f"specmup.sweeps.{name}")
    requested_runs(sweep_from(tomllib.loads(FILE)), {})  # counts parameters, which takes seconds


def make() -> int | None:
    """Call the command, once to run and once to collect."""
    beside = Path.cwd().parent
    (beside / "tiny.toml").write_text(FILE)
    for name in ("train.bin", "val.bin"):
        (np.arange(600) % 16).astype("<u2").tofile(beside / name)
    run = ["sweep", "run", "../tiny.toml", "--text-folder", "..", "--workers", "1"]
    collect = ["sweep", "collect", "../tiny.toml", "--results", os.environ["SPECMUP_RESULTS"]]
    return main(run) or main(collect)
