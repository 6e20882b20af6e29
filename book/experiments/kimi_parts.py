"""Chapter 19: do the numbers that tell the rules for depth apart do the same with Muon-Kimi?

The two that mattered with AdamW, in a GPT with LayerNorm: how fast _SP's embedding learns, and how
fast the readout of k ≥ 2 does. The runs are those of :mod:`experiments.depth_parts` but for
the optimizer of the blocks' matrices.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.declared import Experiment
from experiments.instruments.ablation import Ablation, Setting, final_loss
from experiments.small_gpt import BASE_WIDTH

ABLATIONS: Mapping[str, Ablation] = {
    "sp, fast embedding": Ablation("sp", {"input": 1}),
    "k2, fast readout": Ablation("k2", {"output": 0.5, "norm.weight": 0.5}),
}


def train_part(*, part: str, depth: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run: its row.

    Columns: part (of :data:`ABLATIONS`), depth, log2_lr, seed, and ``loss`` on held-out windows
    after the last step, ``inf`` for a run that diverged.
    """
    about = {"part": part, "depth": depth, "log2_lr": log2_lr, "seed": seed}
    setting = Setting(ABLATIONS[part], BASE_WIDTH, depth, log2_lr, seed, optimizer="muon-kimi")
    return pd.DataFrame([{**about, "loss": final_loss(setting)}])


_SP, _K2 = ABLATIONS
_SEEDS = {"seed": [0, 1, 2]}
EXPERIMENT = Experiment(
    point=train_part,
    version=1,
    keys=("part", "depth", "log2_lr", "seed"),
    scales={
        "quick": {"part": _SP, "depth": 8, "log2_lr": -6, "seed": 0},
        "reference": [
            {"part": _SP, "depth": 32, "log2_lr": [-7, -6, -5, -4], **_SEEDS},
            {"part": _K2, "depth": 32, "log2_lr": [-8, -7, -6, -5], **_SEEDS},
            {"part": _SP, "depth": 8, "log2_lr": -6, **_SEEDS},
        ],
    },
)
