"""Chapter 24: what the rates of the embedding and of the readout do, at the base and carried.

Is μP's gain over width the embedding's, as 2605.21486 finds for AdamW? SP whose embedding learns as
fast as the rule lets it stands against the rule with an embedding that slows down like the blocks.
And does the best ratio of the ends' rates to the blocks', found on the base, hold at another width?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from experiments.brief_gpt import BASE_WIDTH, run_of, trained
from experiments.declared import Experiment
from specmup.sweeps.run import Run


@dataclass(frozen=True)
class Ends:
    """A rule whose ends learn at other rates.

    Args:
        rule: A key of :data:`specmup.sweeps.run.RULES`.
        powers: Of the ratio of the widths, by role: what the rule's rate is multiplied by.
        times: By role: what the base's rate is multiplied by.
    """

    rule: str
    powers: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)


PARTS: Mapping[str, Ends] = {
    "sp": Ends("sp"),
    "sp, fast embedding": Ends("sp", {"input": 1}),
    "k2": Ends("k2"),
    "k2, slow embedding": Ends("k2", {"input": -1}),
    "k2, embedding / 4": Ends("k2", times={"input": 0.25}),
    "k2, embedding × 4": Ends("k2", times={"input": 4.0}),
    "k2, readout / 4": Ends("k2", times={"output": 0.25}),
    "k2, readout × 4": Ends("k2", times={"output": 4.0}),
}


def train_part(*, part: str, optimizer: str, width: int, log2_lr: float, seed: int) -> pd.DataFrame:
    """One run: its row.

    Columns: part (of :data:`PARTS`), optimizer, width, log2_lr, seed, and ``loss`` on held-out
    windows after the last step, ``inf`` for a run that diverged.
    """
    ends = PARTS[part]
    run = run_of(ends.rule, optimizer, log2_lr, width=width, seed=seed)
    _, history = trained(run, learning_rate=rates(run, ends))
    about = {"part": part, "optimizer": optimizer, "width": width, "log2_lr": log2_lr, "seed": seed}
    return pd.DataFrame([{**about, "loss": float(history.loss)}])


def rates(run: Run, ends: Ends) -> dict[str, float]:
    """The base's learning rates by role, those of the ends changed."""
    rate, r_n = 2.0**run.log2_lr, run.width / run.base["width"]
    beside = rate * run.options.get("companion_rate", 1.0)
    changed = {
        role: beside * r_n ** ends.powers.get(role, 0) * ends.times.get(role, 1.0)
        for role in ("input", "output")
    }
    return {"hidden": rate, **changed, "*": beside}


_SEEDS = {"seed": [0, 1, 2]}
_RATIOS = ["k2", *(name for name in PARTS if "4" in name)]
_BOTH = [(width, rate) for width in (BASE_WIDTH, 256) for rate in (-9, -8, -7, -6)]
_KIMI = [(width, rate) for width in (BASE_WIDTH, 256) for rate in (-7, -6, -5, -4, -3)]
EXPERIMENT = Experiment(
    point=train_part,
    version=1,
    keys=("part", "optimizer", "width", "log2_lr", "seed"),
    scales={
        "quick": {
            "part": ["k2, embedding × 4", "k2, readout × 4"],
            "optimizer": "adamw",
            "width": BASE_WIDTH,
            "log2_lr": -8,
            "seed": 0,
        },
        "reference": [
            {"part": _RATIOS, "optimizer": "adamw", "width, log2_lr": _BOTH, **_SEEDS},
            {
                "part": "k2, readout × 4",  # whose best rate is lower
                "optimizer": "adamw",
                "width": [BASE_WIDTH, 256],
                "log2_lr": -10,
                **_SEEDS,
            },
            {
                "part": ["sp", "sp, fast embedding"],
                "optimizer": "adamw",
                "width": 256,
                "log2_lr": [-11, -10, -9, -8],
                **_SEEDS,
            },
            {
                "part": "k2, slow embedding",
                "optimizer": "adamw",
                "width": 256,
                "log2_lr": [-9, -8, -7, -6],
                **_SEEDS,
            },
            {
                "part": ["k2", "k2, embedding / 4", "k2, embedding × 4"],
                "optimizer": "muon-kimi",
                "width, log2_lr": _KIMI,
                **_SEEDS,
            },
        ],
    },
)
