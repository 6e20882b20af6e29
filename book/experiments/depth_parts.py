"""Chapter 19: what tells the rules for depth apart in a GPT, one number at a time.

In a GPT with LayerNorm the rules for depth are one network that differs in a few numbers. Written
as k ≥ 2, and with r the ratio of the depths, _SP has an embedding that starts and learns r times
smaller; k = 1, tuned √r higher, has an embedding that starts √r times smaller and a readout that
learns √r times faster. Here each of these numbers is changed alone. Without LayerNorm k ≥ 2 differs
from k = 1 by blocks that learn √r times faster behind a multiplier √r times smaller; there some of
its maps are slowed to the rate of k = 1. Model, text and training are those of
``book/sweeps/small.toml``, so that sweep's runs of the unchanged rules stand beside these.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.declared import Experiment
from experiments.instruments.ablation import Ablation, Setting, final_loss
from experiments.small_gpt import BASE_DEPTH, BASE_WIDTH

# The last norm's gain goes with the readout.
FAST_EMBEDDING, FAST_READOUT = {"input": 1}, {"output": 0.5, "norm.weight": 0.5}
LARGE_EMBEDDING, SMALL_EMBEDDING = {"input": 1}, {"input": -0.5}
ABLATIONS: Mapping[str, Ablation] = {
    "sp, fast embedding": Ablation("sp", FAST_EMBEDDING),
    "sp, large embedding": Ablation("sp", stds=LARGE_EMBEDDING),
    "sp, both": Ablation("sp", FAST_EMBEDDING, LARGE_EMBEDDING),
    "k2, fast readout": Ablation("k2", FAST_READOUT),
    "k2, fast readout at the base": Ablation("k2", FAST_READOUT, ratio=16),
    "k2, small embedding": Ablation("k2", stds=SMALL_EMBEDDING),
    "k2, both": Ablation("k2", FAST_READOUT, SMALL_EMBEDDING),
    "k2, slow queries and keys": Ablation("k2", {"*query*": -0.5, "*key*": -0.5}),
    "k2, slow values and outputs": Ablation("k2", {"*value*": -0.5, "*attention.out*": -0.5}),
    "k2, slow perceptrons": Ablation("k2", {"*mlp.up*": -0.5, "*mlp.down*": -0.5}),
}


def train_part(
    part: str, normalisation: str, depth: int, log2_lr: float, seed: int
) -> pd.DataFrame:
    """One run: its row.

    Columns: part (of :data:`ABLATIONS`), normalisation, depth, log2_lr, seed, and ``loss`` on
    held-out windows after the last step, ``inf`` for a run that diverged.
    """
    about = {"part": part, "normalisation": normalisation, "depth": depth, "log2_lr": log2_lr}
    setting = Setting(ABLATIONS[part], BASE_WIDTH, depth, log2_lr, seed, normalisation)
    return pd.DataFrame([{**about, "seed": seed, "loss": final_loss(setting)}])


_SP = ["sp, fast embedding", "sp, large embedding"]
_K2 = ["k2, fast readout", "k2, small embedding"]
_NORMED = {"normalisation": "layernorm", "seed": [0, 1, 2]}
EXPERIMENT = Experiment(
    point=train_part,
    version=1,
    keys=("part", "normalisation", "depth", "log2_lr", "seed"),
    scales={
        "quick": {
            "part": "k2, fast readout at the base",
            "normalisation": "layernorm",
            "depth": BASE_DEPTH,
            "log2_lr": -9,
            "seed": 0,
        },
        "reference": [
            {"part": _SP[0], "depth": 32, "log2_lr": -10, **_NORMED},
            {"part": _SP, "depth": 32, "log2_lr": [-9, -8, -7], **_NORMED},
            {"part": _K2, "depth": 32, "log2_lr": [-10, -9, -8, -7], **_NORMED},
            # Both numbers at once make the other rule, but for clipping and LayerNorm's own ε.
            {"part": "sp, both", "depth": 32, "log2_lr": -8, **_NORMED},
            {"part": "k2, both", "depth": 32, "log2_lr": -9, **_NORMED},
            {"part": _SP, "depth": 8, "log2_lr": -8, **_NORMED},
            # Is the readout's rate well tuned where all rules are one?
            {
                "part": "k2, fast readout at the base",
                "depth": BASE_DEPTH,
                "log2_lr": [-11, -10, -9, -8, -7],
                **_NORMED,
            },
            # The base's best rate without LayerNorm, at which k ≥ 2 diverges.
            {
                "part": [name for name in ABLATIONS if "slow" in name],
                "depth": 32,
                "log2_lr": -6,
                **_NORMED,
                "normalisation": "none",
            },
        ],
    },
)
