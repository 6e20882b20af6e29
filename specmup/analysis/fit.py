"""Exponents fitted: how a measured size grows with width and depth.

A size that scales as C·n^a·L^b is a plane in logarithms, so a and b are found by least squares of
log size on log n and log L. Their interval is the wider of two: what other seeds would give, and
what the points leave over from the plane.
"""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.csgraph import connected_components

from specmup.analysis.exponents import Exponents
from specmup.analysis.interval import Interval, mean_interval, student_t

FEWEST_SIZES = 3
FEWEST_SEEDS = 3  # Student's t of two is 12.7 standard errors wide, and says nothing


def fit_exponents(
    size: ArrayLike,
    width: ArrayLike,
    depth: ArrayLike | None = None,
    *,
    seed: ArrayLike | None = None,
) -> Exponents:
    """Fit size ≈ C·n^a·L^b by least squares in logarithms, with 95 % intervals.

    The exponents are those of the seeds' mean log sizes, which are the means of the seeds' own
    exponents. Where a seed lacks sizes, what it does to all of its own is taken out before, for it
    would lift those that it has. (Where every size has seeds of its own, that cannot be told.) Each
    exponent has two reasons to be doubted, and its interval is the wider of the two:

    - other seeds would give others: Student's t over the seeds' own exponents, from three seeds on
      that have every size;
    - the sizes do not lie on a plane: Student's t with (sizes − coefficients) degrees of freedom,
      of what the means leave over. It holds the seeds' noise too if that is independent from size
      to size, so it speaks alone where there are fewer than three such seeds.

    Curved points are thus not made straight by many seeds, and what a seed does to all its sizes at
    once does not go unseen. The interval speaks of the exponent over the measured range: where the
    curve bends, that is an average slope, not its limit.

    Args:
        size: The measured sizes, one entry a measurement.
        width: The width n of each measurement, or one number for all.
        depth: The depth L likewise; None if there is none to speak of.
        seed: The seed of each measurement; None if each size was measured once.

    Raises:
        ValueError: If lengths differ, a number is not positive and finite, neither axis varies, an
            axis that varies has fewer than three sizes, the exponents cannot be told apart, some
            seeds share no size with the others, or a seed has a size twice, as all have where sizes
            are repeated and no seeds are named.
    """
    sizes = _positive("size", size)
    widths = _positive("width", width, sizes.size)
    depths = None if depth is None else _positive("depth", depth, sizes.size)
    axes = {"width": widths} if depths is None else {"width": widths, "depth": depths}
    varying = [name for name, values in axes.items() if _varies(name, values)]
    if not varying:
        raise ValueError(f"{' and '.join(axes)} must vary for an exponent to be fitted: add sizes")

    points, place = np.unique(
        np.column_stack([np.log(axes[name]) for name in varying]), axis=0, return_inverse=True
    )
    logs = _by_seed(np.log(sizes), place.ravel(), len(points), seed)
    slopes, errors, intercept = _least_squares(points, logs)
    fitted = {
        name: Interval.around(float(s), float(e))
        for name, s, e in zip(varying, slopes, errors, strict=True)
    }
    return Exponents(
        width=fitted.get("width"),
        depth=fitted.get("depth"),
        constant=exp(intercept),
        widths=tuple(np.unique(widths).tolist()),
        depths=() if depths is None else tuple(np.unique(depths).tolist()),
        seeds=int(np.isfinite(logs).all(axis=0).sum()),
    )


def _positive(name: str, values: ArrayLike, length: int | None = None) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if length is not None and array.ndim == 0:
        array = np.full(length, float(array))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty list of numbers, got shape {array.shape}")
    if length is not None and array.size != length:
        raise ValueError(
            f"{name} has {array.size} entries and size has {length}: give one for each measurement"
        )
    bad = array[~(np.isfinite(array) & (array > 0))]
    if bad.size:
        raise ValueError(
            f"{name} holds {bad[0]}, which has no logarithm to fit: "
            "take out diverged and vanished runs, and say that you did"
        )
    return array


def _varies(name: str, values: np.ndarray) -> bool:
    distinct = np.unique(values)
    if 1 < distinct.size < FEWEST_SIZES:
        raise ValueError(
            f"{name} takes only the values {distinct.tolist()}: "
            f"an exponent with an interval needs at least {FEWEST_SIZES}"
        )
    return distinct.size > 1


def _by_seed(logs: np.ndarray, place: np.ndarray, count: int, seed: ArrayLike | None) -> np.ndarray:
    """Log sizes (points, seeds), nan where a seed lacks a size."""
    names = np.zeros(logs.size) if seed is None else np.asarray(seed)
    if names.shape != logs.shape:
        raise ValueError(
            f"seed has shape {names.shape} and size has {logs.size} entries: "
            "give one for each measurement"
        )
    seeds, column = np.unique(names, return_inverse=True)
    table = np.full((count, seeds.size), np.nan)
    table[place, column] = logs
    if np.isfinite(table).sum() < logs.size:
        remedy = "name the seeds" if seed is None else "measure a size once with each seed"
        raise ValueError(f"sizes are repeated within a seed: {remedy}")
    present = np.isfinite(table).astype(int)
    _, group = connected_components(present.T @ present)  # of seeds that share sizes
    if group.any() and (present.sum(axis=0) > 1).any():  # else every size has seeds of its own
        raise ValueError(
            f"seeds {seeds[group == 0].tolist()} share no size with seeds "
            f"{seeds[group > 0].tolist()}: measure one with both, or fit them apart"
        )
    return table


def _seed_effects(logs: np.ndarray) -> np.ndarray:
    """What each seed adds to all its sizes: least squares of logs (points, seeds) on both."""
    present = np.isfinite(logs).astype(float)
    if present.all():
        return np.zeros(logs.shape[1])  # each mean holds all seeds, and nothing is to be taken out
    of_means = present.T / present.sum(axis=1)
    apart = np.diag(present.sum(axis=0)) - of_means @ present
    beyond = np.nansum(logs - np.nanmean(logs, axis=1, keepdims=True), axis=0)
    return np.linalg.pinv(apart, hermitian=True) @ beyond  # their sum is zero


def _least_squares(points: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes, half-widths of their intervals, and intercept; points (G, axes), logs (G, seeds)."""
    count, axes = points.shape
    centre, means = points.mean(axis=0), np.nanmean(logs - _seed_effects(logs), axis=1)
    X = points - centre
    if np.linalg.matrix_rank(X, tol=1e-9) < axes:
        raise ValueError(
            "width and depth grow together here, so their exponents cannot be told apart: "
            "measure a grid, or fit one of them alone"
        )
    degrees = count - axes - 1
    if degrees < 1:
        raise ValueError(
            f"{count} different sizes leave nothing to judge {axes + 1} coefficients by: add sizes"
        )
    slopes = _slopes(X, means)
    left_over = means - means.mean() - X @ slopes
    variance = left_over @ left_over / degrees
    half = student_t(degrees) * np.sqrt(variance * np.diag(np.linalg.inv(X.T @ X)))
    own = _slopes(X, logs[:, np.isfinite(logs).all(axis=0)])  # (axes, seeds)
    if own.shape[1] >= FEWEST_SEEDS:
        half = np.maximum(half, [mean_interval(axis).half_width for axis in own])
    return slopes, half, float(means.mean() - centre @ slopes)


def _slopes(X: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Least squares on centred points (G, axes), for each column of values (G, …) alone."""
    return np.linalg.lstsq(X, values - values.mean(axis=0), rcond=None)[0]
