"""The figure of a sweep: loss against learning rate, a line a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from specmup.figures.plots import learning_rate_curves, use_style
from specmup.runs.store import RunError
from specmup.theory.update import update_law

RULE_TITLES = {"sp": "SP", "k1": "k = 1", "k2": "k ≥ 2"}
Growth = Literal["width", "depth"]
AXES: tuple[tuple[Growth, Growth], ...] = (("width", "depth"), ("depth", "width"))


def draw(frame: pd.DataFrame, base: Mapping[str, int]) -> Figure:
    """Loss against learning rate: a column a rule, a row an axis of growth, a line a size.

    Axes are swept from the base, and drawn where there are two sizes at least.

    Args:
        frame: As :func:`frame_of` gives it.
        base: The base's ``width`` and ``depth``.

    Raises:
        RunError: If no axis was swept at three learning rates.
    """
    groups = _groups(frame, base)
    if not groups:
        raise RunError("nothing to draw: two sizes of one axis at three learning rates, at least")
    rules = [rule for rule in RULE_TITLES if any(rule in set(rows.rule) for *_, rows in groups)]
    use_style()
    figure, axes = plt.subplots(
        len(groups),
        len(rules),
        figsize=(2.9 * len(rules) + 0.6, 2.7 * len(groups)),
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for group, row in zip(groups, axes, strict=True):
        _draw_row(row, *group, rules)
    for ax in axes[:-1].flat:  # learning rates have a scale of their own in every row
        ax.set_xlabel("")
    return figure


def _draw_row(
    row: Sequence[Axes], title: str, axis: Growth, rows: pd.DataFrame, rules: Sequence[str]
) -> None:
    """One axis of growth under one optimizer: an axes a rule, the colours the same in all."""
    means = rows.groupby(["rule", axis, "log2_lr"])["loss"].mean()
    means = means[np.isfinite(means)]
    # A little above the best losses all is told; far above, a few wild runs set the scale.
    ceiling = means.min() + 3 * (means.median() - means.min()) if len(means) else None
    drawn: list[Axes] = []
    for rule, ax in zip(rules, row, strict=True):
        own = rows[rows.rule == rule]
        if own.empty:
            ax.set_axis_off()
            continue
        learning_rate_curves(ax, own, axis, ceiling=ceiling, sizes=sorted(rows[axis].unique()))
        ax.set_title(RULE_TITLES[rule], fontsize="medium")
        ax.set_ylabel("" if drawn else f"{title}\nloss")
        drawn.append(ax)
    for ax in drawn[:-1]:
        if (legend := ax.get_legend()) is not None:
            legend.remove()


def _groups(frame: pd.DataFrame, base: Mapping[str, int]) -> list[tuple[str, Growth, pd.DataFrame]]:
    """(title, axis, rows) of each row of the figure."""
    found: list[tuple[str, Growth, pd.DataFrame]] = []
    for (optimizer, norm, decay), rows in frame.groupby(
        ["optimizer", "normalisation", "weight_decay"]
    ):
        for axis, other in AXES:
            own = _swept(rows[rows[other] == base[other]], axis)
            if own.empty:
                continue
            extra = [f"λ = {decay:g}"] * (decay != 0) + ["no LayerNorm"] * (norm == "none")
            title = ", ".join([update_law(str(optimizer)).title, *extra])
            found.append((title, axis, own))
    return found


def _swept(rows: pd.DataFrame, axis: Growth) -> pd.DataFrame:
    """Rows of curves of three learning rates, under rules that have such a curve of two sizes."""
    rows = rows.groupby(["rule", axis]).filter(lambda curve: curve.log2_lr.nunique() >= 3)
    return rows.groupby("rule").filter(lambda curves: curves[axis].nunique() >= 2)
