"""The figure of a sweep: loss against learning rate, a line a size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from specmup.lab.plots import learning_rate_curves, use_style
from specmup.sweeps.store import SweepError

RULE_TITLES = {"sp": "SP", "k1": "k = 1", "k2": "k ≥ 2"}


def draw(frame: pd.DataFrame, base: Mapping[str, int]) -> Figure:
    """Loss against learning rate: a column a rule, a row an axis of growth, a line a size.

    Axes are swept from the base, and drawn where there are two sizes at least.

    Args:
        frame: As :func:`frame_of` gives it.
        base: The base's ``width`` and ``depth``.

    Raises:
        SweepError: If no axis was swept at three learning rates.
    """
    groups = _groups(frame, base)
    if not groups:
        raise SweepError("nothing to draw: two sizes of one axis at three learning rates, at least")
    rules = [rule for rule in RULE_TITLES if any(rule in set(rows.rule) for *_, rows in groups)]
    use_style()
    figure, axes = plt.subplots(
        len(groups),
        len(rules),
        figsize=(3.2 * len(rules), 2.7 * len(groups)),
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for (title, axis, rows), row in zip(groups, axes, strict=True):
        means = rows.groupby(["rule", axis, "log2_lr"])["loss"].mean()
        means = means[np.isfinite(means)]
        # A little above the best losses all is told; far above, a few wild runs set the scale.
        ceiling = means.min() + 3 * (means.median() - means.min()) if len(means) else None
        for rule, ax in zip(rules, row, strict=True):
            own = rows[rows.rule == rule]
            if own.empty:
                ax.set_axis_off()
                continue
            learning_rate_curves(ax, own, axis, ceiling=ceiling)
            ax.set_title(f"{title}, {RULE_TITLES[rule]}", fontsize="medium")
            ax.label_outer()
    return figure


def _groups(frame: pd.DataFrame, base: Mapping[str, int]) -> list[tuple[str, str, pd.DataFrame]]:
    """(title, axis, rows) of each row of the figure."""
    found = []
    for (norm, optimizer, decay), rows in frame.groupby(
        ["normalisation", "optimizer", "weight_decay"]
    ):
        for axis, other in (("width", "depth"), ("depth", "width")):
            own = rows[rows[other] == base[other]]
            own = own.groupby(["rule", axis]).filter(lambda g: g.log2_lr.nunique() >= 3)
            if own.empty or own[axis].nunique() < 2:
                continue
            extra = [f"λ = {decay:g}"] * (decay != 0) + ["no LayerNorm"] * (norm == "none")
            found.append((", ".join([optimizer, *extra]), axis, own))
    return found
