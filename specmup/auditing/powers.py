"""Powers of a size, read off measured values: an exponent, how sure it is, whether it is a power.

A rule worth the name makes every number a power of the width and of the depth. What is set by code
is exact, and its exponent comes out to the last digit. A start is drawn, so its exponent has an
error, and is rounded to the simplest fraction within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

# Exponents of numbers that code sets are that exact; residuals of their logarithms likewise.
EXACT = 1e-3
# A drawn start counts as another power beyond this many standard errors.
SURE = 4.5
# A start whose exponent is less certain than this is not judged: half powers would be mixed up.
RESOLVED = 0.24
DENOMINATORS = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True)
class Power:
    """A value as a power of one size.

    Args:
        exponent: The simplest fraction within the tolerance.
        tolerance: How far the exponent may be off.
        holds: Whether the value is a power at all.
    """

    exponent: Fraction
    tolerance: float = EXACT
    holds: bool = True

    @property
    def resolved(self) -> bool:
        """Whether the exponent is certain enough to be judged."""
        return self.tolerance <= RESOLVED


def fit_power(
    sizes: Sequence[float], values: Sequence[float], errors: Sequence[float] | None = None
) -> Power:
    """The power of a size that positive values follow, by least squares of logarithms.

    Args:
        sizes: At least two different ones.
        values: One for each size, positive.
        errors: Relative standard errors of the values; None where they are exact.

    Raises:
        ValueError: If a value is not positive, or fewer than two sizes differ.

    >>> fit_power([64, 128, 256], [0.4, 0.2, 0.1]).exponent
    Fraction(-1, 1)
    """
    if min(values) <= 0 or len(set(sizes)) < 2:
        raise ValueError(f"no power of {list(sizes)} fits {list(values)}: give positive values")
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float))
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    sigma = np.asarray([0.0] * len(y) if errors is None else errors, float)
    tolerance = max(EXACT, SURE * float(np.sqrt(centred**2 @ sigma**2)) / spread)
    residuals = np.abs(y - y.mean() - slope * centred)
    allowed = np.maximum(EXACT, SURE * sigma)
    return Power(simplest(slope, tolerance), tolerance, bool((residuals <= allowed).all()))


def simplest(number: float, tolerance: float) -> Fraction:
    """The fraction of the smallest denominator within the tolerance; two decimals if none is."""
    for denominator in DENOMINATORS:
        fraction = Fraction(round(number * denominator), denominator)
        if abs(fraction - number) <= tolerance:
            return fraction
    return Fraction(round(number * 100), 100)
