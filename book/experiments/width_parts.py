"""Chapter 17: what the rule for width adds to SP with a rate divided by hand, one number at a time.

With AdamW the rule is SP whose learning rate is divided by the ratio r of the widths everywhere but
in the embedding and in the gains, and whose readout starts √r smaller. Here each of these numbers
is changed alone. Model, text and training are those of ``book/sweeps/small.toml``, so that sweep's
runs of SP and of the rule stand beside these.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.declared import Experiment
from experiments.instruments.ablation import Ablation, Setting, final_loss
from experiments.small_gpt import BASE_DEPTH

FAST_EMBEDDING = {"input": 1}
FAST_GAINS = {"norm_gain": 1, "norm.weight": 1}
SMALL_READOUT = {"output": -0.5}
ABLATIONS: Mapping[str, Ablation] = {
    "fast embedding": Ablation("sp", FAST_EMBEDDING),
    "fast gains": Ablation("sp", FAST_GAINS),
    "small readout": Ablation("sp", stds=SMALL_READOUT),
    "fast embedding and gains": Ablation("sp", FAST_EMBEDDING | FAST_GAINS),
    "all": Ablation("sp", FAST_EMBEDDING | FAST_GAINS, SMALL_READOUT),
}


def train_part(*, part: str, width: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run: its row.

    Columns: part (of :data:`ABLATIONS`), width, log2_lr (of SP, that is of the blocks and the
    readout), seed, and ``loss`` on held-out windows after the last step, ``inf`` for a run that
    diverged.
    """
    about = {"part": part, "width": width, "log2_lr": log2_lr, "seed": seed}
    setting = Setting(ABLATIONS[part], width, BASE_DEPTH, log2_lr, seed)
    return pd.DataFrame([{**about, "loss": final_loss(setting)}])


_SINGLY = ["fast embedding", "fast gains", "small readout"]
_SEEDS = {"seed": [0, 1, 2]}
EXPERIMENT = Experiment(
    point=train_part,
    version=1,
    keys=("part", "width", "log2_lr", "seed"),
    scales={
        "quick": {"part": "fast embedding", "width": 128, "log2_lr": -8, "seed": 0},
        "reference": [
            {"part": _SINGLY, "width": 256, "log2_lr": [-11, -10, -9, -8], **_SEEDS},
            {"part": "fast embedding and gains", "width": 256, "log2_lr": [-11, -10, -9], **_SEEDS},
            # All at once are the rule, but for clipping.
            {"part": "all", "width": 256, "log2_lr": -10, **_SEEDS},
            {"part": "fast embedding", "width": 128, "log2_lr": -8, **_SEEDS},
        ],
    },
)
