"""Which numbers are wrong: the fewest that explain all deviations from a rule.

A constant that is missing in front of a weight makes its start, rate, decay and ε deviate together,
by the powers of a change of gauge. Then the constant is to blame, not the four.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache

from specmup.auditing.deviations import (
    DECAY,
    EPSILON,
    MULTIPLIER,
    RATE,
    START,
    Followed,
    gauge_powers,
)
from specmup.auditing.needs import DEPTH, WIDTH
from specmup.auditing.powers import Power
from specmup.inspection.model_pair import ScaledParam
from specmup.theory.condition import ResidualCondition
from specmup.theory.order import Order

Blame = dict[tuple[str, str], Fraction]


def blamed(followed: Sequence[Followed], rule: str, block_depth: int) -> Blame:
    """Exponents by which numbers are off a rule, by pattern and number; only those that are.

    Args:
        followed: All parameters along one axis.
        rule: One of the axis's rules.
        block_depth: Number k of maps in a branch.
    """
    found: Blame = {}
    for members in _beside_each_other(followed):
        found |= _of_group(members, rule, block_depth)
    return found


def _beside_each_other(followed: Iterable[Followed]) -> list[list[Followed]]:
    """Parameters of one module in one place: a constant in front of one is in front of all."""
    groups: dict[tuple[str, str], list[Followed]] = {}
    for one in followed:
        module = one.pattern.rpartition(".")[0]
        groups.setdefault((module, one.param.place), []).append(one)
    return list(groups.values())


def _of_group(members: Sequence[Followed], rule: str, block_depth: int) -> Blame:
    deviations = {one.pattern: one.deviations(rule) for one in members}
    left = {c: _left(members, deviations, c) for c in _candidates(members, deviations)}

    params = {one.pattern: one.param for one in members}

    def length(c: Fraction) -> tuple[int, int]:
        first, rest = weight(left[c], params, block_depth)
        return first + (c != 0), rest

    c = min(left, key=lambda c: (*length(c), _rank(members, rule, c)))
    return left[c] | ({(members[0].pattern, MULTIPLIER): c} if c else {})


def weight(off: Blame, params: Mapping[str, ScaledParam], block_depth: int) -> tuple[int, int]:
    """How much is wrong: numbers of which training is made, then decays and ε; not what may be."""
    wrong = [
        key for key, x in off.items() if not is_allowed(params[key[0]], key[1], x, block_depth)
    ]
    rest = sum(number in (DECAY, EPSILON) for _, number in wrong)
    return len(wrong) - rest, rest


def _candidates(
    members: Sequence[Followed], deviations: Mapping[str, Mapping[str, Power]]
) -> list[Fraction]:
    """Exponents of a wrong constant: it shows in every start in front of which it stands.

    Where everything starts at zero, it shows in the rates.
    """
    found = [Fraction(0)]
    for name in (START, RATE):
        for one in members:
            own, power = deviations[one.pattern], gauge_powers(one.numbers[0].law).get(name)
            if name in own and own[name].resolved and power:
                found.append(own[name].exponent / power)
        if len(found) > 1:
            break
    return list(dict.fromkeys(found))


def _left(
    members: Sequence[Followed], deviations: Mapping[str, Mapping[str, Power]], c: Fraction
) -> Blame:
    """What a constant that is off by an exponent c leaves to be explained."""
    left: Blame = {}
    for one in members:
        powers = gauge_powers(one.numbers[0].law)
        for name, power in deviations[one.pattern].items():
            rest = power.exponent - powers[name] * c
            if power.resolved and abs(rest) > power.tolerance:
                left[one.pattern, name] = rest
    return left


def _rank(members: Sequence[Followed], rule: str, c: Fraction) -> int:
    """Of explanations equally short, which comes first.

    Where a step is of the size of its weight, a start and a constant are one thing to be wrong.
    It is the constant if the start is what it should be beside the right one.
    """
    as_written = _indistinct(members) and members[0].start_as_written(rule) == 0
    return int((c == 0) == as_written)


def _indistinct(members: Sequence[Followed]) -> bool:
    return all(gauge_powers(one.numbers[0].law).get(RATE) == 0 for one in members)


def is_allowed(param: ScaledParam, number: str, exponent: Fraction, block_depth: int) -> bool:
    """Whether a number may be off by a power and the condition still holds.

    An ε may be smaller than what it is added to. A bias may start at zero: its first step makes it
    as large as it has to be. Of a branch of one map the start is free below its bound.
    """
    if exponent > 0:
        return False
    if number == START and param.role == "hidden":
        return _start_is_free(block_depth)
    bias = param.role in ("input_bias", "hidden_bias") and not param.spec.is_gain
    return number == EPSILON or (number == START and bias)


@cache
def _start_is_free(block_depth: int) -> bool:
    return ResidualCondition(min(block_depth, 2)).start is None


def orders(by_axis: Mapping[str, Blame]) -> dict[tuple[str, str], Order]:
    """Exponents along both axes as one order each."""
    keys = dict.fromkeys(key for exponents in by_axis.values() for key in exponents)

    def exponent(axis: str, key: tuple[str, str]) -> Fraction:
        return by_axis.get(axis, {}).get(key, Fraction(0))

    return {key: Order(exponent(WIDTH, key), exponent(DEPTH, key)) for key in keys}
