"""What a coordinate check says: slopes with intervals, a verdict, what it means, and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from specmup.analysis.exponents import TOLERANCE, Exponents
from specmup.analysis.fit import fit_exponents
from specmup.analysis.interval import Interval
from specmup.analysis.transfer import Axis
from specmup.figures.plots import COLOURS, LABELS, STYLE, scaling
from specmup.figures.style import save_figure
from specmup.foreign import in_figure, printable
from specmup.theory.order import ONE

AXES: tuple[Axis, ...] = ("width", "depth")
HOLDS, FAILS, OPEN = "flat", "not flat", "cannot tell"

MEANING = {
    ("last", "grows"): "the residual stream moves more in larger models: a rate tuned at the base "
    "is too large there. Look at the rates and multipliers of hidden and input parameters.",
    ("last", "falls"): "the residual stream moves less in larger models: their features end up "
    "frozen. Look for a rate or multiplier that falls with the size and should not.",
    ("attention", "grows"): "attention logits move more in larger models, and attention will "
    "saturate. If heads grow with the width, scale qᵀk by 1/d instead of 1/√d, or normalise q, k.",
    ("attention", "falls"): "attention logits move less in larger models: heads stay uniform. "
    "Look at the rates of queries and keys.",
    ("logits", "grows"): "the output moves more in larger models. If the stream is flat, this is "
    "the readout alone: its multiplier (or, folded, its rate) must fall as the width grows.",
    ("logits", "falls"): "the output moves less in larger models. If the stream is flat, this is "
    "the readout alone: its rate falls twice, in the multiplier and in the optimizer.",
}
LEVEL = (
    "Flat means that features move alike at every size in these steps, not that the best rate "
    "stands still. If it moves, look for a base whose best rate is on the edge of its grid, a base "
    "so small that its limit is far away, and an embedding or a readout whose own rate was never "
    "tuned. Train two sizes at three rates before you trust either."
)
READOUT = (
    "It is the change of the logits that must be flat. Their size at the start falls as n^-1/2 "
    "under the rules, by design: a random readout sums n terms of random sign, each 1/n."
)


@dataclass(frozen=True)
class Finding:
    """How the change of one feature goes with one axis under one plan.

    Attributes:
        rule: The plan's name.
        feature: The feature's name.
        axis: ``width`` or ``depth``.
        answer: ``flat``, ``grows``, ``falls``, ``cannot tell``, ``diverged`` or ``still`` (no
            change at some size).
        fit: The fitted exponent; None where there is nothing to fit.
    """

    rule: str
    feature: str
    axis: Axis
    answer: str
    fit: Exponents | None = None

    @property
    def slope(self) -> Interval | None:
        """The exponent of the change along the axis, with its 95 % interval."""
        return None if self.fit is None else getattr(self.fit, self.axis)

    @property
    def meaning(self) -> str:
        """What to think of it, in a sentence or two; empty if the feature is flat."""
        general = {
            "diverged": "some size diverged: the base rate is too high for it.",
            "still": "this does not move at some size: is it frozen, or its rate zero?",
            "cannot tell": "the interval reaches across the tolerance: add sizes, seeds or steps.",
            "grows": "this moves more in larger models.",
            "falls": "this moves less in larger models.",
        }
        return MEANING.get((self.feature, self.answer), general.get(self.answer, ""))

    def __str__(self) -> str:
        """Such as ``k2    last       width  slope 0.02 ± 0.05   flat``."""
        slope = "no slope" if self.slope is None else f"slope {self.slope}"
        rule, feature = printable(self.rule), printable(self.feature)
        return f"{rule:<6}{feature:<11}{self.axis:<7}{slope:<22}{self.answer}"


def findings(
    frame: pd.DataFrame, *, step: int | None = None, tolerance: float = TOLERANCE
) -> list[Finding]:
    """The slopes of a check, and whether each is flat.

    A slope is flat if its whole 95 % interval lies within the tolerance of zero, and grows or
    falls if the whole interval lies outside; otherwise the check cannot tell.

    Args:
        frame: From :func:`specmup.probes.coordinate_check.coordinate_check`.
        step: At which step the change is taken; the last by default.
        tolerance: Largest slope that counts as flat at finite sizes.

    Raises:
        ValueError: If the step was not measured, or no axis has three sizes.
    """
    last = frame[frame.step == (frame.step.max() if step is None else step)]
    if last.empty or (last.step == 0).all():
        raise ValueError(f"step {step} was not measured: choose 1 to {frame.step.max()}")
    found = []
    for key, rows in last.groupby(["rule", "feature"], sort=False):
        rule, feature = map(str, cast(tuple, key))
        for axis in AXES:
            line = slice_along(rows, axis)
            if line[axis].nunique() > 2:
                found.append(_finding(rule, feature, axis, line, tolerance))
    if not found:
        raise ValueError("no axis has three sizes, which a slope with an interval needs: add sizes")
    return found


def slice_along(frame: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """The rows in which only ``axis`` varies: those at the smallest size of the other one."""
    (other,) = set(AXES) - {axis}
    return frame[frame[other] == frame[other].min()]


def _finding(rule: str, feature: str, axis: Axis, rows: pd.DataFrame, tolerance: float) -> Finding:
    if not np.isfinite(rows.change).all():
        return Finding(rule, feature, axis, "diverged")
    if not (rows.change > 0).all():
        return Finding(rule, feature, axis, "still")
    fit = fit_exponents(rows.change, rows.width, rows.depth, seed=rows.seed)
    verdict = fit.verdict(ONE, tolerance)
    direction = "grows" if getattr(fit, axis).estimate > 0 else "falls"
    answer = {"agrees": "flat", "disagrees": direction}.get(verdict.answer, verdict.answer)
    return Finding(rule, feature, axis, answer, fit)


def verdict(found: Sequence[Finding]) -> str:
    """``flat`` if all findings are, ``not flat`` if one surely is not, else ``cannot tell``."""
    answers = {finding.answer for finding in found}
    if answers <= {"flat"}:
        return HOLDS
    return OPEN if answers <= {"flat", "cannot tell"} else FAILS


def report(found: Sequence[Finding]) -> str:
    """The findings, plan by plan: a line a slope, the verdict, and what is not flat in words."""
    lines, answers = [], set()
    for rule in dict.fromkeys(finding.rule for finding in found):
        own = [finding for finding in found if finding.rule == rule]
        answers.add(verdict(own))
        lines += [*map(str, own), f"{rule}: {verdict(own)}"]
        notes = {f"  {f.feature} over {f.axis}: {f.meaning}": None for f in own if f.meaning}
        lines += [*notes, ""]
    if HOLDS in answers:
        lines += [LEVEL, ""]
    if any(f.feature == "logits" and f.answer in ("grows", "falls") for f in found):
        lines += [READOUT, ""]
    return "\n".join(lines)


def draw(frame: pd.DataFrame, found: Sequence[Finding], path: str | Path) -> None:
    """Write a figure: the change at the last step, a row a feature, a column an axis.

    Args:
        frame: From :func:`specmup.probes.coordinate_check.coordinate_check`.
        found: Its findings.
        path: The file; its ending decides the format (``.svg``, ``.png``, ``.pdf``).
    """
    features = list(dict.fromkeys(finding.feature for finding in found))
    columns = [axis for axis in AXES if any(finding.axis == axis for finding in found)]
    last = frame[(frame.step == frame.step.max()) & np.isfinite(frame.change) & (frame.change > 0)]
    size = (5.2 * len(columns), 2.4 * len(features))
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(len(features), len(columns), figsize=size, squeeze=False)
        for finding in found:
            ax = grid[features.index(finding.feature), columns.index(finding.axis)]
            rows = slice_along(last[last.rule == finding.rule], finding.axis)
            rows = rows[rows.feature == finding.feature]
            if len(rows):
                name = "k2" if finding.rule == "plan" else finding.rule
                scaling(
                    ax,
                    rows.change,
                    rows[finding.axis],
                    axis=finding.axis,
                    fit=finding.fit,
                    name=name if name in COLOURS else None,
                    label=in_figure(f"{finding.rule} ({finding.answer})"),
                )
            ax.set_ylabel(in_figure(f"change of {finding.feature}"))
            ax.set_xlabel(LABELS[finding.axis] if finding.feature == features[-1] else "")
        for ax in grid.flat:
            _at_least_fourfold(ax)
        save_figure(figure, path)
        plt.close(figure)


def _at_least_fourfold(ax: Axes) -> None:
    """Let the vertical axis span a factor of four, so that what is flat looks flat."""
    low, high = ax.get_ylim()
    if high < 4 * low:
        centre = (low * high) ** 0.5
        ax.set_ylim(centre / 2, centre * 2)
