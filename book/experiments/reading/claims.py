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
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from IPython.display import publish_display_data
from myst_nb import glue

from experiments.reading.criteria import (
    Criterion,
    Verdict,
    above,
    at_least,
    at_most,
    below,
    between,
    compared,
    equal_to,
    judge,
    near,
    open_at,
    outside,
    says,
)
from experiments.reading.values import number, text_of

# Chapters take the criteria, and how a number is written, from here too.
__all__ = [
    "Claim",
    "ClaimFell",
    "Claims",
    "above",
    "at_least",
    "at_most",
    "below",
    "between",
    "compared",
    "equal_to",
    "near",
    "number",
    "open_at",
    "outside",
    "says",
]

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
        _check_source(source, key)
        claim = self.made[key] = Claim(key, sentence, value, criterion, source, spec)
        if claim.verdict != "held" and not os.environ.get(JUDGE):
            raise ClaimFell(str(claim))
        show(claim)
        glue(key, claim.text, display=False)
        if claim.criterion.words:
            glue(f"{key}-word", claim.word or "?", display=False)
        return claim

    def of(self, source: str, *, spec: str = ".2f", about: str = "") -> Callable[..., Claim]:
        """Makes claims that rest on one source: ``(name, sentence, value, criterion, spec=spec)``.

        Args:
            source: A key of :data:`SOURCES`.
            spec: Formats their values unless a claim is given its own.
            about: What their names begin with, behind the chapter's.

        Raises:
            ValueError: If the source is unknown.
        """
        _check_source(source, f"claims of {self.chapter}")
        beginning = f"{about}-" if about else ""

        def claim(
            name: str, sentence: str, value: Any, criterion: Criterion, spec: str = spec
        ) -> Claim:
            return self(beginning + name, sentence, value, criterion, source=source, spec=spec)

        return claim


def _check_source(source: str, whose: str) -> None:
    if source not in SOURCES:
        raise ValueError(f"source {source!r} of {whose}: it may be {', '.join(SOURCES)}")


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
