"""The book's kinds of figures, in its one style: transfer, coordinate check, scaling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from specmup.analysis.exponents import Exponents
from specmup.analysis.optimum import optimum
from specmup.figures.axes import band, decades, doublings, legend, minus
from specmup.figures.style import (
    COLOURS,
    INK,
    LABELS,
    MARKERS,
    RAMPS,
    STYLE,
    colour,
    size_colours,
    use_style,
)
from specmup.theory.order import Order

__all__ = [
    "COLOURS",
    "INK",
    "LABELS",
    "MARKERS",
    "RAMPS",
    "STYLE",
    "colour",
    "coordinate_curves",
    "learning_rate_curves",
    "scaling",
    "size_colours",
    "use_style",
]


def learning_rate_curves(
    ax: Axes,
    frame: pd.DataFrame,
    by: Literal["width", "depth"] = "width",
    *,
    value: str = "loss",
    ceiling: float | None = None,
    sizes: Sequence[float] | None = None,
) -> None:
    """Loss against learning rate, one curve a size: mean over seeds in a band from least to most.

    The optimum of each mean curve is a filled circle, or a hollow one at the lowest mean where it
    sits on the edge of the grid or beside a rate that is off the scale, and is only a bound. Off
    the scale are rates at which some seed diverged or whose mean lies above the ceiling; each is a
    triangle in a band at the top.

    Args:
        ax: Where to draw; set a logarithmic loss axis beforehand if you want one.
        frame: One row a run, with columns ``log2_lr``, ``seed``, ``by`` and the loss: one rule, one
            size on the other axis.
        by: What tells the curves apart.
        value: The column of the loss.
        ceiling: Largest loss drawn to scale; by default the largest finite mean. Axes that share
            their loss axis need the same one.
        sizes: Those in the legend, by default the frame's. Axes that share colours need the same.

    Raises:
        ValueError: If a column is missing or there is nothing to draw.
    """
    _check_columns(frame, [by, "log2_lr", "seed", value])
    means = frame.groupby([by, "log2_lr"])[value].mean()
    means = means[np.isfinite(means)]
    top = means.max() if ceiling is None else ceiling
    beyond = []
    for size, tint, width in _lines(frame[by] if sizes is None else pd.Series(sizes), by):
        if (own := frame[frame[by] == size]).empty:
            ax.plot([], [], color=tint, linewidth=width, label=f"{size:g}")
            continue
        runs = own.groupby("log2_lr")[value]
        mean, least, most = runs.mean(), runs.min(), runs.max()
        shown = np.isfinite(mean) & (mean <= top)
        ax.plot(mean.index, mean.where(shown), color=tint, linewidth=width, label=f"{size:g}")
        _range(ax, least.where(shown), most.where(shown), tint)
        beyond.append((mean.index[~shown], tint))
        best = optimum(mean.index, mean.where(shown, np.inf))  # far off, no parabola holds
        face = "none" if best.low < best.high else tint
        ax.plot(best.log2_lr, best.loss, "o", ms=7, mec=tint, mfc=face, mew=1.6, zorder=4)
    if len(means):
        scale = ax.yaxis.get_transform()
        bottom, edge = scale.transform([means.min(), top])
        low = scale.inverted().transform([bottom - 0.08 * (edge - bottom)])[0]
        shared = [a for a in ax.get_shared_y_axes().get_siblings(ax) if a is not ax and a.lines]
        ax.set_ylim(min([low, *(a.get_ylim()[0] for a in shared)]), top)
    if ax.get_yscale() == "log":
        decades(ax)
    band(ax, beyond, "diverged" if ceiling is None else "off scale", always=ceiling is not None)
    ax.set_xlabel(r"base learning rate, $\log_2\,\eta$")
    ax.set_ylabel(value.replace("_", " "))
    legend(ax, LABELS[by])


def coordinate_curves(
    ax: Axes,
    frame: pd.DataFrame,
    *,
    x: Literal["step", "width", "depth"] = "step",
    by: Literal["step", "width", "depth"] = "width",
    value: str = "size",
) -> None:
    """How large something is, by step or against a size: geometric mean and range over seeds.

    A theory that holds gives curves that lie on each other (against the step) or that are level
    (against a size). A diverged value is a triangle in a band at the top.

    Args:
        ax: Where to draw.
        frame: One row a measurement, with columns ``x``, ``by`` and ``value``; several rows at the
            same ``x`` and ``by`` are seeds.
        x: The column along the horizontal axis; sizes are spaced by doublings.
        by: The column that tells the curves apart.
        value: The column of positive sizes.

    Raises:
        ValueError: If a column is missing, there is nothing to draw, or a value is not positive.
    """
    _check_columns(frame, [x, by, value])
    if not (frame[value] > 0).all():
        raise ValueError(f"{value} must be positive to be drawn on a logarithmic axis")
    beyond = []
    for size, tint, width in _lines(frame[by], by):
        runs = frame[frame[by] == size].groupby(x)[value]
        shown = runs.max() < np.inf
        middle = np.exp(runs.apply(lambda v: np.log(v).mean())).where(shown)
        ax.plot(middle.index, middle, "o-", ms=3, color=tint, linewidth=width, label=f"{size:g}")
        _range(ax, runs.min().where(shown), runs.max().where(shown), tint)
        beyond.append((middle.index[~shown], tint))
    decades(ax)
    band(ax, beyond, "diverged")
    if x != "step":
        doublings(ax, frame[x])
    ax.set_xlabel(LABELS[x])
    ax.set_ylabel(value.replace("_", " "))
    legend(ax, LABELS[by])


def scaling(
    ax: Axes,
    size: ArrayLike,
    x: ArrayLike,
    *,
    axis: Literal["width", "depth"],
    fit: Exponents | None = None,
    predicted: Order | None = None,
    name: str | None = None,
    label: str | None = None,
) -> None:
    """Measured sizes against width or depth in logarithms, with the fitted and predicted slopes.

    Dots are single measurements, markers their geometric means. Both lines pass through the centre
    of the markers: the fitted one is drawn through, the predicted one dashed grey. The legend gives
    both slopes.

    Args:
        ax: Where to draw.
        size: Positive and finite sizes, one a measurement.
        x: The width or depth of each.
        axis: Which of the two ``x`` is.
        fit: A fit whose exponent along ``axis`` gives the solid line.
        predicted: An order whose exponent along ``axis`` gives the dashed line.
        name: Rule or optimizer that gives colour and marker; neutral without one.
        label: What the measurements are, in the legend; ``name`` by default.

    Raises:
        ValueError: If the lists differ in length, hold what has no logarithm, or the fit has no
            exponent along ``axis``.
    """
    sizes, xs = np.asarray(size, dtype=float), np.asarray(x, dtype=float)
    if sizes.shape != xs.shape or sizes.ndim != 1 or not sizes.size:
        raise ValueError(
            f"size has shape {sizes.shape} and x {xs.shape}: give lists of equal length"
        )
    if not (np.isfinite(sizes) & (sizes > 0) & np.isfinite(xs) & (xs > 0)).all():
        raise ValueError("sizes must be positive and finite to be drawn in logarithms")
    tint = INK if name is None else colour(name)
    marker = "o" if name is None else MARKERS.get(name, "o")
    at = np.unique(xs)
    means = np.array([np.exp(np.log(sizes[xs == value]).mean()) for value in at])
    centre = np.exp(np.log(at).mean()), np.exp(np.log(means).mean())

    def line(slope: float) -> np.ndarray:
        return centre[1] * (at / centre[0]) ** slope

    texts = [label or name or "measured"]
    if fit is not None:
        exponent = getattr(fit, axis)
        if exponent is None:
            raise ValueError(f"the fit has no exponent along {axis}: {fit}")
        ax.plot(at, line(exponent.estimate), color=tint)
        texts.append(f"slope {minus(exponent)}")
    ax.plot(xs, sizes, ".", ms=3, color=tint, alpha=0.5)
    ax.plot(at, means, marker, color=tint, label=", ".join(texts))
    if predicted is not None:
        exponent = getattr(predicted, axis)
        text = f"predicted {minus(exponent)}"
        ax.plot(at, line(float(exponent)), "--", color=INK, zorder=2.5, label=text)
    decades(ax)
    doublings(ax, xs)
    ax.set_xlabel(LABELS[axis])
    legend(ax)


def _check_columns(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise ValueError(f"the frame lacks {missing}; it has {list(frame.columns)}")
    if frame.empty:
        raise ValueError("the frame is empty: there is nothing to draw")


def _lines(sizes: pd.Series, by: str) -> list[tuple[float, str, float]]:
    """Size, colour and line width, the smallest and thinnest first."""
    colours = size_colours(sizes, by)
    widths = np.linspace(1.6, 2.6, len(colours))
    return [(*pair, width) for pair, width in zip(colours.items(), widths, strict=True)]


def _range(ax: Axes, least: pd.Series, most: pd.Series, tint: str) -> None:
    ax.fill_between(least.index, least, most, color=tint, alpha=0.2, linewidth=0)
