"""How far what was read is from a rule: an exponent for every number of every parameter.

Numbers are compared in one gauge, with every constant of the forward pass folded into the parameter
that it stands in front of: W = c·W' is one training, whichever of both is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property

from specmup.auditing.laws import stand_in
from specmup.auditing.needs import Axis
from specmup.auditing.powers import Power, fit_power
from specmup.auditing.reading import Numbers, Reading
from specmup.inspection.model_pair import ScaledParam
from specmup.parametrization.factors import Factors
from specmup.parametrization.gauges import gauge_change

START, RATE, DECAY, EPSILON = NUMBERS = ("start", "learning_rate", "weight_decay", "epsilon")
MULTIPLIER = "multiplier"
FACTORS = dict(zip(NUMBERS, ("init_std", "learning_rate", "weight_decay", "epsilon"), strict=True))


@cache
def gauge_powers(law: str | None) -> Mapping[str, int]:
    """What a constant c in front of W does to its numbers once it is folded in: their powers of c.

    It follows from the update law; see :func:`specmup.parametrization.gauges.gauge_change`.
    """
    if law is None:
        return {START: 1}
    change = gauge_change(stand_in(law))
    powers = {START: 1, RATE: change.rate, DECAY: -change.rate}
    return powers if change.epsilon is None else powers | {EPSILON: -change.epsilon}


def folded(numbers: Numbers, constant: float) -> dict[str, float]:
    """The numbers with the constant folded in; those that are zero or absent are left out."""
    read: Mapping[str, float | None] = {name: getattr(numbers, name) for name in NUMBERS}
    powers = gauge_powers(numbers.law)
    return {n: v * constant ** powers[n] for n, v in read.items() if v and n in powers}


@dataclass(frozen=True)
class Followed:
    """One parameter along one axis: all that was read of it, and the rules beside it.

    Args:
        param: The parameter, in its place.
        axis: The axis.
    """

    param: ScaledParam
    axis: Axis

    @property
    def pattern(self) -> str:
        """Its name."""
        return self.param.spec.pattern

    @property
    def numbers(self) -> list[Numbers]:
        """What it is given at each size."""
        return [reading.numbers[self.pattern] for reading in self.axis.readings]

    @cached_property
    def values(self) -> dict[str, list[float]]:
        """Its numbers at each size, folded: those that are there at every size."""
        each = [folded(n, _constant(r, self.pattern)) for n, r in self._read()]
        return {name: [v[name] for v in each] for name in NUMBERS if all(name in v for v in each)}

    @property
    def fleeting(self) -> Iterator[str]:
        """Numbers that are there at some sizes and zero or absent at others."""
        for name in NUMBERS:
            there = {bool(getattr(numbers, name)) for numbers in self.numbers}
            if len(there) == 2:
                yield name

    def written(self) -> dict[str, Power]:
        """Its numbers as powers of the size, as the code has them, and its constant."""
        found = {MULTIPLIER: [_constant(r, self.pattern) for r in self.axis.readings]}
        found |= {name: [getattr(n, name) for n in self.numbers] for name in self.values}
        return {name: self._power(name, values) for name, values in found.items()}

    def deviations(self, rule: str) -> dict[str, Power]:
        """Its folded numbers over those of a rule, as powers of the size."""
        needed = self.axis.needed(self.pattern, rule)
        return {
            name: self._power(name, _over(values, needed, FACTORS[name]))
            for name, values in self.values.items()
            if getattr(needed[0], FACTORS[name]) is not None
        }

    def start_as_written(self, rule: str) -> Fraction | None:
        """Its start, without any constant, over that of a rule in the forward gauge."""
        if START not in self.values:
            return None
        starts = [numbers.start for numbers in self.numbers]
        needed = self.axis.needed(self.pattern, rule, gauge="forward")
        return self._power(START, _over(starts, needed, FACTORS[START])).exponent

    def _read(self) -> Iterator[tuple[Numbers, Reading]]:
        return zip(self.numbers, self.axis.readings, strict=True)

    def _power(self, name: str, values: Sequence[float]) -> Power:
        errors = [n.start_error for n in self.numbers] if name == START else None
        return fit_power(self.axis.sizes, values, errors)


def _constant(reading: Reading, pattern: str) -> float:
    return reading.constants.by_pattern.get(pattern, 1.0)


def _over(values: Sequence[float], needed: Sequence[Factors], name: str) -> list[float]:
    return [v / getattr(factors, name) for v, factors in zip(values, needed, strict=True)]
