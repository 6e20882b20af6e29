"""What the value of a claim must be, and how it is judged.

A criterion judges the whole interval: a value holds if all of it meets the criterion, falls if none
does, and otherwise cannot be told. With :func:`says` the criterion is a word that the prose uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, nextafter
from typing import Any, Literal, SupportsFloat

from experiments.reading.values import interval_of, number, several
from specmup.analysis.interval import Interval

Verdict = Literal["held", "fell", "cannot tell"]


@dataclass(frozen=True)
class Criterion:
    """What a value must be.

    Attributes:
        text: In words, such as ``below −0.5``.
        judge: Says of a value whether it is.
        words: What to call a value, by the criterion that it meets; the first that it meets is it.
    """

    text: str
    judge: Callable[[Any], Verdict]
    words: Mapping[str, Criterion] | None = None

    def word(self, value: Any) -> str:
        """What to call a value, or nothing where there are no words or none that it meets."""
        words = self.words or {}
        return next((word for word, one in words.items() if judge(value, one) == "held"), "")


def judge(value: Any, criterion: Criterion) -> Verdict:
    """Judge one value, or several: all must hold, and one that fell is enough to fall."""
    verdicts = {criterion.judge(one) for one in several(value)}
    if not verdicts:
        return "cannot tell"
    if "fell" in verdicts:
        return "fell"
    return "cannot tell" if "cannot tell" in verdicts else "held"


def below(limit: float) -> Criterion:
    """The whole interval lies below the limit."""
    return Criterion(f"below {number(limit)}", _inside(-inf, nextafter(limit, -inf)))


def above(limit: float) -> Criterion:
    """The whole interval lies above the limit."""
    return Criterion(f"above {number(limit)}", _inside(nextafter(limit, inf), inf))


def at_least(limit: float) -> Criterion:
    """The whole interval lies at or above the limit."""
    return Criterion(f"at least {number(limit)}", _inside(limit, inf))


def at_most(limit: float) -> Criterion:
    """The whole interval lies at or below the limit."""
    return Criterion(f"at most {number(limit)}", _inside(-inf, limit))


def between(low: float, high: float) -> Criterion:
    """The whole interval lies between the two, which count too."""
    return Criterion(f"from {number(low)} to {number(high)}", _inside(low, high))


def outside(low: float, high: float) -> Criterion:
    """The whole interval lies below the one or above the other: :func:`between` turned round."""
    inside, turned = _inside(low, high), {"held": "fell", "fell": "held"}
    return Criterion(
        f"outside {number(low)} to {number(high)}",
        lambda found: turned.get(inside(found), "cannot tell"),  # type: ignore[arg-type,return-value]
    )


def near(centre: float, tolerance: float) -> Criterion:
    """The whole interval lies within the tolerance of a value."""
    text = f"within {number(tolerance)} of {number(centre)}"
    return Criterion(text, _inside(centre - tolerance, centre + tolerance))


def open_at(value: float) -> Criterion:
    """The interval holds the value: the data cannot tell it from that."""
    return Criterion(
        f"its interval holds {number(value)}",
        lambda found: "held" if value in _exactly(found) else "fell",
    )


def equal_to(expected: Any) -> Criterion:
    """The value is this one exactly."""
    return Criterion(f"equal to {number(expected)}", lambda v: "held" if v == expected else "fell")


def says(expected: str, words: Mapping[str, Criterion]) -> Criterion:
    """The value is called by the expected word, the first whose criterion it meets.

    Raises:
        ValueError: If the word is none of them.
    """
    if expected not in words:
        raise ValueError(f"{expected!r} is none of the words {', '.join(words)}")

    def judged(value: Any) -> Verdict:
        found = Criterion("", words[expected].judge, words).word(value)
        if found == expected:
            return "held"
        return "fell" if found else "cannot tell"

    return Criterion(f"{words[expected].text}, said as “{expected}”", judged, words)


def compared(low: str, high: str, neither: str, at: float = 0.0) -> dict[str, Criterion]:
    """Words for a difference: surely below, surely above, or neither.

    Raises:
        ValueError: If a word is there twice, for then one would stand for two answers.
    """
    words = {low: below(at), high: above(at), neither: open_at(at)}
    if len(words) < 3:
        raise ValueError(
            f"the words {low!r}, {high!r} and {neither!r} are not three: name each answer apart"
        )
    return words


def _inside(low: float, high: float) -> Callable[[Any], Verdict]:
    def judged(value: Any) -> Verdict:
        found = _exactly(value)
        if low <= found.low and found.high <= high:
            return "held"
        return "fell" if found.high < low or high < found.low else "cannot tell"

    return judged


def _exactly(value: Any) -> Interval:
    """The interval of a value, in doubles: compared with a single, a limit is rounded to one."""
    found = interval_of(value)
    if not isinstance(found.estimate, SupportsFloat):  # a word, which might read as a number
        raise TypeError(f"{value!r} is no number to compare with a limit: claim equal_to or says")
    return Interval(float(found.estimate), float(found.low), float(found.high))
