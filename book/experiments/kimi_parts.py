"""Chapter 16: do the numbers that tell the rules for depth apart do the same with Muon-Kimi?

The two that mattered with AdamW, in a GPT with LayerNorm: how fast SP's embedding learns, and how
fast the readout of k ≥ 2 does. The runs are those of :mod:`experiments.depth_parts` but for
the optimizer of the blocks' matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from experiments.depth_parts import PARTS, WIDTH, final_loss
from specmup.runs.experiment import ExperimentResult, run_experiment

SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [{"part": "sp, fast embedding", "depth": 8, "log2_lr": [-6], "seeds": [0]}],
    },
    "reference": {
        "cases": [
            {
                "part": "sp, fast embedding",
                "depth": 32,
                "log2_lr": [-7, -6, -5, -4],
                "seeds": [0, 1, 2],
            },
            {
                "part": "k2, fast readout",
                "depth": 32,
                "log2_lr": [-8, -7, -6, -5],
                "seeds": [0, 1, 2],
            },
            {"part": "sp, fast embedding", "depth": 8, "log2_lr": [-6], "seeds": [0, 1, 2]},
        ],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("part", "depth", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale.

    Columns: part (of :data:`experiments.depth_parts.PARTS`), depth, log2_lr, seed, and
    ``loss`` on held-out windows after the last step, ``inf`` for a run that diverged.
    """
    jobs = [
        {"part": case["part"], "depth": case["depth"], "log2_lr": log2_lr, "seed": seed}
        for case in SCALES[scale_name]["cases"]
        for log2_lr in case["log2_lr"]
        for seed in case["seeds"]
    ]
    return run_experiment(train_part, jobs, VERSION, folder=folder, workers=workers)


def train_part(*, part: str, depth: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run: its row."""
    about = {"part": part, "depth": depth, "log2_lr": log2_lr, "seed": seed}
    loss = final_loss(PARTS[part], WIDTH, depth, log2_lr, seed, optimizer="muon-kimi")
    return pd.DataFrame([{**about, "loss": loss}])
