"""From readings to findings: the nearest rule along each axis, and every number that is off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specmup.auditing.attention import attention_faults
from specmup.auditing.blame import Blame, blamed, is_allowed, orders, weight
from specmup.auditing.deviations import (
    DECAY,
    EPSILON,
    MULTIPLIER,
    RATE,
    START,
    Followed,
    gauge_powers,
)
from specmup.auditing.equations import Deviation, broken, deviation, trend
from specmup.auditing.findings import Fault, Row
from specmup.auditing.needs import DEPTH, WIDTH, Axis, factors_at
from specmup.auditing.notes import Along, notes
from specmup.auditing.reading import Reading
from specmup.auditing.report import Audit
from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.theory.order import ONE, Order

QUANTITIES = (MULTIPLIER, START, RATE, DECAY, EPSILON)


def judged(pair: ModelPair, axes: Sequence[Axis], corner: Reading) -> Audit:
    """Hold what was read against every rule, and against the condition.

    Args:
        pair: The largest model beside the smallest, each parameter under what moves it.
        axes: The readings.
        corner: That of the largest width and depth.
    """
    k = pair.block_depth
    needed = {WIDTH: "μP", DEPTH: "k = 1" if k == 1 else "k ≥ 2"}
    along = {axis.name: _followed(axis) for axis in axes}
    blames = {
        axis.name: {rule: blamed(list(along[axis.name].values()), rule, k) for rule in axis.rules()}
        for axis in axes
    }
    off = orders({name: found[needed[name]] for name, found in blames.items()})
    written = orders({name: _written(followed) for name, followed in along.items()})
    params = {param.spec.pattern: param for param in pair.params}
    faults = [
        _fault(params[pattern], number, written[pattern, number], size, pair)
        for (pattern, number), size in off.items()
    ]
    attention = attention_faults(axes, pair)
    return Audit(
        optimizer=_title(pair),
        block_depth=k,
        sizes={axis.name: tuple(getattr(r, axis.name) for r in axis.readings) for axis in axes},
        nearest={name: _nearest(found, needed[name], params, k) for name, found in blames.items()},
        needed={axis.name: needed[axis.name] for axis in axes},
        rows=tuple(_row(param, axes[-1], written, off) for param in pair.params),
        faults=tuple(sorted([*faults, *attention], key=_by_weight)),
        broken=tuple(broken(pair, _deviations(pair, along, needed))),
        notes=tuple(notes(axes, along, corner)),
    )


def _title(pair: ModelPair) -> str:
    """The laws that train it, that of the maps first."""
    laws = [param.law for param in pair.params if param.role == "hidden"]
    return laws[0].title if laws else pair.law.title


def _by_weight(fault: Fault) -> tuple[bool, int]:
    return fault.harmless, QUANTITIES.index(fault.number)


def _followed(axis: Axis) -> Along:
    return {
        param.spec.pattern: Followed(param, axis)
        for param in axis.pairs[-1].params
        if axis.readings[0].numbers[param.spec.pattern].law is not None
    }


def _written(along: Along) -> Blame:
    """The exponents of everything as the code has it."""
    return {
        (pattern, number): power.exponent
        for pattern, one in along.items()
        for number, power in one.written().items()
        if power.resolved
    }


def _nearest(
    found: Mapping[str, Blame], needed: str, params: Mapping[str, ScaledParam], block_depth: int
) -> str:
    """The rule of an axis that the fewest numbers are off; of several, the one that is needed."""

    def distance(rule: str) -> tuple[int, int, bool]:
        return (*weight(found[rule], params, block_depth), rule != needed)

    return min(found, key=distance)


def _deviations(
    pair: ModelPair, along: Mapping[str, Along], needed: Mapping[str, str]
) -> dict[str, Deviation]:
    """Of each moved parameter: start and update off the condition, constants folded in."""
    each: dict[str, Blame] = {}
    for axis, followed in along.items():
        each[axis] = {
            (pattern, number): power.exponent
            for pattern, one in followed.items()
            for number, power in one.deviations(needed[axis]).items()
            if power.resolved
        }
    sizes = orders(each)
    moved = {pattern for followed in along.values() for pattern in followed}
    return {
        param.spec.pattern: deviation(
            param,
            pair.block_depth,
            start=sizes.get((param.spec.pattern, START), ONE),
            rate=sizes.get((param.spec.pattern, RATE), ONE),
        )
        for param in pair.params
        if param.spec.pattern in moved
    }


def _fault(param: ScaledParam, number: str, read: Order, off: Order, pair: ModelPair) -> Fault:
    exponents = [exponent for exponent in (off.width, off.depth) if exponent]
    return Fault(
        pattern=param.spec.pattern,
        role=param.role,
        number=number,
        read=read,
        needed=read / off,
        factors=factors_at(off, pair),
        look=_look(param, number, off, pair),
        harmless=all(is_allowed(param, number, x, pair.block_depth) for x in exponents),
    )


def _look(param: ScaledParam, number: str, off: Order, pair: ModelPair) -> str:
    """What this number alone does, all others being right: the first equations that it breaks."""
    if number == EPSILON:
        if off <= ONE:
            return "harmless: ε stays below what it is added to"
        return f"ε {trend(off)} beside the gradient: steps fade once it is the larger"
    if number == DECAY:
        return f"decay {trend(off)} beside the step"
    start = off if number in (START, MULTIPLIER) else ONE
    rate = off if number == RATE else ONE
    if number == MULTIPLIER:
        rate = off ** gauge_powers(param.law.name)[RATE]
    alone = {param.spec.pattern: deviation(param, pair.block_depth, start, rate)}
    own = [
        b.look
        for b in broken(pair, alone)
        if "start" == b.statement.name or b.where.get(b.statement.name[1:-1]) == param.spec.pattern
    ]
    return "; ".join(dict.fromkeys(own)) or "allowed: it stays below its bound"


def _row(
    param: ScaledParam,
    axis: Axis,
    written: Mapping[tuple[str, str], Order],
    off: Mapping[tuple[str, str], Order],
) -> Row:
    pattern = param.spec.pattern
    read = {number: order for (p, number), order in written.items() if p == pattern}
    return Row(
        pattern=pattern,
        count=len(param.spec.names),
        role=param.role,
        read=read,
        needed={number: order / off.get((pattern, number), ONE) for number, order in read.items()},
        still=axis.readings[0].numbers[pattern].still,
    )
