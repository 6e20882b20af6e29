"""What to know of an audit beside its verdict: what was not seen, not sure or not trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log

from specmup.auditing.deviations import MULTIPLIER, NUMBERS, START, Followed, folded
from specmup.auditing.needs import Axis
from specmup.auditing.powers import EXACT
from specmup.auditing.reading import FROZEN, MISSING, Reading
from specmup.inspection.names import abbreviated

# Along one axis, the parameters that something moves, by pattern.
Along = Mapping[str, Followed]
NAMES = {
    "start": "the start",
    "learning_rate": "the learning rate",
    "weight_decay": "the decay",
    "epsilon": "ε",
    MULTIPLIER: "the constant in front",
}


def notes(axes: Sequence[Axis], along: Mapping[str, Along], corner: Reading) -> list[str]:
    """Sentences for the report, each said once."""
    found = [*_unread(axes), *_still(corner), *_odd(corner), *_entangled(axes, corner)]
    for axis, followed in along.items():
        found += _unsure(axis, followed)
    return list(dict.fromkeys(found))


def _unread(axes: Sequence[Axis]) -> Iterator[str]:
    for axis in axes:
        for reading in axis.readings:
            yield from (f"not read: {what}" for what in reading.constants.unread)


def _still(reading: Reading) -> Iterator[str]:
    for why, told in ((FROZEN, "frozen"), (MISSING, "in no optimizer, so never trained")):
        if names := [p for p, own in reading.numbers.items() if own.still == why]:
            yield f"{told}: {abbreviated(names)}"


def _odd(reading: Reading) -> Iterator[str]:
    """Options that no rule speaks of, or that were read in a certain way."""
    numbers = reading.numbers.items()
    if names := [p for p, own in numbers if own.scheduled]:
        yield f"learning rates are those before the schedule, of {abbreviated(names)}"
    if names := [p for p, own in numbers if own.coupled]:
        yield (
            f"decay goes through the gradient and is not the rules' λ, so it is not judged, of "
            f"{abbreviated(names)}"
        )
    for what in dict.fromkeys(kind for _, own in numbers for kind in own.uneven):
        names = [p for p, own in numbers if what in own.uneven]
        yield f"{what} differs from block to block, and its mean was taken, of {abbreviated(names)}"


def _entangled(axes: Sequence[Axis], corner: Reading) -> Iterator[str]:
    """Numbers that are no product of a power of the width and one of the depth."""
    if len(axes) < 2:
        return
    base = axes[0].readings[0]
    ends = [axis.readings[-1] for axis in axes]
    for pattern in corner.numbers:
        logs = []
        for reading in (base, corner, *ends):
            constant = reading.constants.by_pattern.get(pattern, 1.0)
            values = folded(reading.numbers[pattern], constant)
            values.pop(START, None)  # has errors
            logs.append({name: log(value) for name, value in values.items()})
        for name in NUMBERS:
            if all(name in own for own in logs):
                one, other, wide, deep = (own[name] for own in logs)
                if abs(one + other - wide - deep) > 2 * EXACT:
                    yield (
                        f"{NAMES[name]} of {pattern} is no product of a power of the width and one "
                        "of the depth: what is said of it holds along the axes"
                    )


def _unsure(axis: str, followed: Along) -> Iterator[str]:
    written = {pattern: one.written() for pattern, one in followed.items()}
    if names := [p for p, own in written.items() if START in own and not own[START].resolved]:
        yield (
            f"starts that are too few draws to be judged along the {axis}: {abbreviated(names)}; "
            "give more draws, or larger sizes"
        )
    for pattern, one in followed.items():
        for number in one.fleeting:
            yield f"{NAMES[number]} of {pattern} is zero at some sizes of the {axis}, so not judged"
        for number, power in written[pattern].items():
            if power.resolved and not power.holds:
                yield f"{NAMES[number]} of {pattern} is no power of the {axis}: the nearest is told"
        if len({str(numbers.betas) for numbers in one.numbers}) > 1:
            yield f"the averages (betas) of {pattern} vary with the {axis}: no rule asks for that"
