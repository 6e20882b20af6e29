"""The published sweeps over the depth, one rule held against another, with LayerNorm.

Of each optimizer :func:`over_the_depth` has a table for SP, for k = 1 and for k ≥ 2.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.reading.published import BASE, published
from specmup.analysis.fit import fit_exponents
from specmup.analysis.interval import Interval
from specmup.analysis.optimum import optimum

# In the blocks, where a normalised table is held against our own sweep.
OPTIMIZERS = {"muon": "Muon", "muon-kimi": "Muon-Kimi"}


def over_the_depth() -> pd.DataFrame:
    """Losses with LayerNorm by ``optimizer``, ``rule``, ``size`` (the depth) and ``log2_value``."""
    frame = published()
    wanted = (frame.axis == "depth") & (frame.normalisation == "layernorm")
    return frame[wanted & (frame.tuned == "learning rate")].reset_index(drop=True)


def best_rates(record: pd.DataFrame, optimizer: str, rule: str) -> pd.Series:
    """log2 of the best base rate by depth; of depths whose optimum lies inside the grid."""
    rows = record[(record.optimizer == optimizer) & (record.rule == rule)]
    found = {L: optimum(one.log2_value, one.loss) for L, one in rows.groupby("size")}
    return pd.Series({L: best.log2_lr for L, best in found.items() if best.edge is None})


def ahead_of_k2(record: pd.DataFrame, optimizer: str, rule: str) -> pd.Series:
    """log2 of a rule's best base rate minus that of k ≥ 2, by depth."""
    return (best_rates(record, optimizer, rule) - best_rates(record, optimizer, "k2")).dropna()


def climb(record: pd.DataFrame, optimizer: str, rule: str) -> Interval:
    """The exponent in the depth of a rule's best base rate over that of k ≥ 2.

    Raises:
        ValueError: If fewer than three depths have both optima inside their grids.
    """
    ahead = ahead_of_k2(record, optimizer, rule)
    exponent = fit_exponents(2.0**ahead, BASE["width"], ahead.index).depth
    if exponent is None:
        raise ValueError(f"{optimizer}, {rule}: one depth gives no exponent")
    return exponent


def sp_minus_k2(record: pd.DataFrame, optimizer: str) -> pd.Series:
    """SP's loss minus that of k ≥ 2, by depth and base rate; where both trained."""
    sp, two = (
        record[(record.optimizer == optimizer) & (record.rule == rule)]
        .set_index(["size", "log2_value"])
        .loss
        for rule in ("sp", "k2")
    )
    return (sp - two).replace([np.inf, -np.inf], np.nan).dropna()
