"""Chapter 15: what the rule for width adds to SP with a rate divided by hand, one number at a time.

With AdamW the rule is SP whose learning rate is divided by the ratio r of the widths everywhere but
in the embedding and in the gains, and whose readout starts √r smaller. Here each of these numbers
is changed alone. Model, text and training are those of ``book/sweeps/small.toml``, so that sweep's
runs of SP and of the rule stand beside these.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from experiments.depth_parts import BASE_DEPTH, Part, final_loss
from specmup.runs.experiment import ExperimentResult, run_experiment

FAST_EMBEDDING = {"input": 1}
FAST_GAINS = {"norm_gain": 1, "norm.weight": 1}
SMALL_READOUT = {"output": -0.5}
PARTS: Mapping[str, Part] = {
    "fast embedding": Part("sp", FAST_EMBEDDING, {}),
    "fast gains": Part("sp", FAST_GAINS, {}),
    "small readout": Part("sp", {}, SMALL_READOUT),
    "fast embedding and gains": Part("sp", FAST_EMBEDDING | FAST_GAINS, {}),
    "all": Part("sp", FAST_EMBEDDING | FAST_GAINS, SMALL_READOUT),
}
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [{"parts": ["fast embedding"], "width": 128, "log2_lr": [-8], "seeds": [0]}]
    },
    "reference": {
        "cases": [
            {
                "parts": ["fast embedding", "fast gains", "small readout"],
                "width": 256,
                "log2_lr": [-11, -10, -9, -8],
                "seeds": [0, 1, 2],
            },
            {
                "parts": ["fast embedding and gains"],
                "width": 256,
                "log2_lr": [-11, -10, -9],
                "seeds": [0, 1, 2],
            },
            # All at once are the rule, but for clipping.
            {"parts": ["all"], "width": 256, "log2_lr": [-10], "seeds": [0, 1, 2]},
            {"parts": ["fast embedding"], "width": 128, "log2_lr": [-8], "seeds": [0, 1, 2]},
        ]
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("part", "width", "log2_lr", "seed")
COMPARED = ("loss",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale.

    Columns: part (of :data:`PARTS`), width, log2_lr (of SP, that is of the blocks and the readout),
    seed, and ``loss`` on held-out windows after the last step, ``inf`` for a run that diverged.
    """
    jobs = [
        {"part": part, "width": case["width"], "log2_lr": log2_lr, "seed": seed}
        for case in SCALES[scale_name]["cases"]
        for part in case["parts"]
        for log2_lr in case["log2_lr"]
        for seed in case["seeds"]
    ]
    return run_experiment(train_part, jobs, VERSION, folder=folder, workers=workers)


def train_part(*, part: str, width: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run: its row."""
    about = {"part": part, "width": width, "log2_lr": log2_lr, "seed": seed}
    return pd.DataFrame(
        [{**about, "loss": final_loss(PARTS[part], width, BASE_DEPTH, log2_lr, seed)}]
    )
