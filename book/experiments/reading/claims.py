"""A claim: a sentence of the book, the value that it rests on, and what that value must be.

    claim = Claims("ch06")
    claim("slower", "Under k = 1 the two maps learn to agree more slowly in deeper networks.",
          fit.depth, below(0), source="stored")

A claim that does not hold fails its cell. One that does prints a line, glues its value for the
prose as ``ch06-slower`` and, where the criterion has words, the word as ``ch06-slower-word``, and
is listed on the page *Claims*. Where ``SPECMUP_JUDGE`` is set, as when stored results have been
made again, a claim that does not hold is noted and its chapter goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from math import inf, nextafter
from numbers import Integral, Rational, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from IPython.display import publish_display_data
from myst_nb import glue

from specmup.analysis.interval import Interval

Verdict = Literal["held", "fell", "cannot tell"]
SOURCES = {
    "theory": "solved from equations",
    "exact": "an exact computation",
    "live": "run with this page",
    "stored": "a stored result",
}
JUDGE = "SPECMUP_JUDGE"
KEY = "claim"  # of what is listed, in the metadata of a cell's output


class ClaimFell(AssertionError):
    """A claim does not hold: the sentence, the value, and what it had to be."""


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


def near(centre: float, tolerance: float) -> Criterion:
    """The whole interval lies within the tolerance of a value."""
    text = f"within {number(tolerance)} of {number(centre)}"
    return Criterion(text, _inside(centre - tolerance, centre + tolerance))


def open_at(value: float) -> Criterion:
    """The interval holds the value: the data cannot tell it from that."""
    return Criterion(
        f"not told from {number(value)}",
        lambda found: "held" if _interval(found).low <= value <= _interval(found).high else "fell",
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
    """Words for a difference: surely below, surely above, or not told from ``at``."""
    return {low: below(at), high: above(at), neither: open_at(at)}


@dataclass(frozen=True, repr=False)
class Claim:
    """One claim, judged.

    Attributes:
        name: Chapter and name, as in ``ch06-slower``.
        sentence: What is claimed.
        value: A number, an interval, an order, a word; or several, each of which is judged.
        criterion: What it must be.
        source: A key of :data:`SOURCES`.
        spec: Formats the value's numbers.
    """

    name: str
    sentence: str
    value: Any
    criterion: Criterion
    source: str
    spec: str = ".2f"

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        return judge(self.value, self.criterion)

    @property
    def word(self) -> str:
        """What the value is called, see :class:`Criterion`."""
        return self.criterion.word(self.value)

    @property
    def text(self) -> str:
        """The value as text."""
        return text_of(self.value, self.spec)

    def __str__(self) -> str:
        """One line: verdict, sentence, value, criterion, source."""
        rests_on = SOURCES[self.source]
        return f"{self.verdict}: {self.sentence} [{self.text}; {self.criterion.text}; {rests_on}]"

    __repr__ = __str__

    def _ipython_display_(self) -> None:
        """Nothing: a claim was shown when it was made, also where it ends a cell."""

    def listed(self) -> dict[str, str]:
        """What the page *Claims* shows, as plain text."""
        return {
            "name": self.name,
            "sentence": self.sentence,
            "value": self.text,
            "criterion": self.criterion.text,
            "source": self.source,
            "verdict": self.verdict,
        }


class Claims:
    """The claims of one chapter; calling it makes one.

    Args:
        chapter: What the names of its claims begin with, such as ``ch06``.
    """

    def __init__(self, chapter: str) -> None:
        """Begin with none."""
        self.chapter = chapter
        self.made: dict[str, Claim] = {}

    def __call__(
        self,
        name: str,
        sentence: str,
        value: Any,
        criterion: Criterion,
        *,
        source: str,
        spec: str = ".2f",
    ) -> Claim:
        """Judge a claim, show it, and glue its value and word; see :class:`Claim`.

        Raises:
            ClaimFell: If it does not hold, unless ``SPECMUP_JUDGE`` is set.
            ValueError: If the name is that of another claim, or the source is unknown.
        """
        key = f"{self.chapter}-{name}"
        if key in self.made and self.made[key].sentence != sentence:
            raise ValueError(f"two claims are named {key}: give one of them another name")
        if source not in SOURCES:
            raise ValueError(f"source {source!r} of {key}: it may be {', '.join(SOURCES)}")
        claim = self.made[key] = Claim(key, sentence, value, criterion, source, spec)
        if claim.verdict != "held" and not os.environ.get(JUDGE):
            raise ClaimFell(str(claim))
        show(claim)
        glue(key, claim.text, display=False)
        if claim.criterion.words:
            glue(f"{key}-word", claim.word or "?", display=False)
        return claim


def show(claim: Claim) -> None:
    """Show a claim as one line, which carries what the page *Claims* lists."""
    rests_on = SOURCES[claim.source]
    line = (
        f'<p class="claim"><span class="claim-verdict">{escape(claim.verdict)}</span> '
        f"{escape(claim.sentence)} <span>{escape(claim.text)}; {escape(claim.criterion.text)}; "
        f"{rests_on}</span></p>"
    )
    shown = {"text/plain": str(claim), "text/html": line}
    publish_display_data(shown, metadata={KEY: claim.listed()})


def judge(value: Any, criterion: Criterion) -> Verdict:
    """Judge one value, or several: all must hold, and one that fell is enough to fall."""
    verdicts = {criterion.judge(one) for one in _several(value)}
    if not verdicts:
        return "cannot tell"
    if "fell" in verdicts:
        return "fell"
    return "cannot tell" if "cannot tell" in verdicts else "held"


def text_of(value: Any, spec: str = ".2f") -> str:
    """A value as text with true minus signs; of several numbers, the range that they span."""
    many = _several(value)
    if len(many) == 1:
        return number(many[0], spec)
    if not all(isinstance(one, Interval | Real) for one in many):
        return ", ".join(number(one, spec) for one in many)
    ends = [_interval(one) for one in many]
    low, high = min(one.low for one in ends), max(one.high for one in ends)
    kind = "intervals" if isinstance(many[0], Interval) else "values"
    return f"{number(low, spec)} to {number(high, spec)} ({len(many)} {kind})"


def number(value: Any, spec: str = "") -> str:
    """One value as text; integers and words as they are."""
    if isinstance(value, Interval):
        text = format(value, spec or ".2f")
    elif isinstance(value, bool | np.bool_ | str) or not isinstance(value, Real):
        text = str(value)
    elif isinstance(value, Integral):
        text = f"{int(value):,}"
    elif isinstance(value, Rational):
        text = str(value)
    else:
        text = format(float(value), f"z{spec or '.4g'}")
    return text if isinstance(value, str) else text.replace("-", "−")


def _several(value: Any) -> list[Any]:
    """The values to be judged one by one."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | np.ndarray | pd.Series):
        return list(value)
    return [value]


def _inside(low: float, high: float) -> Callable[[Any], Verdict]:
    def judged(value: Any) -> Verdict:
        found = _interval(value)
        if low <= found.low and found.high <= high:
            return "held"
        return "fell" if found.high < low or high < found.low else "cannot tell"

    return judged


def _interval(value: Any) -> Interval:
    """The interval of a value; of a number without one, the number alone."""
    return value if isinstance(value, Interval) else Interval(value, value, value)
