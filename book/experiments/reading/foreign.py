"""What stored runs say of other people's models: verdicts, slopes, and what is not level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isinf, isnan

import pandas as pd

from specmup.analysis.interval import Interval

# The largest exponent that counts as level in networks as small as these.
LEVEL = 0.25
# What a kind of parameter changes alone may add up over blocks, or meet a random map, like a root.
UNALIGNED = 0.5
WAYS, AXES, QUANTITIES = ("plan", "sp"), ("width", "depth"), ("stream", "logits")
# How a model that is planned comes out, the worst first.
ANSWERS = ("not level", "cannot tell", "level")


@dataclass(frozen=True)
class Slope:
    """An exponent along one axis.

    Attributes:
        way: Of :data:`WAYS`.
        axis: Of :data:`AXES`.
        quantity: Of :data:`QUANTITIES`.
        what: ``start``, ``change``, or a kind of parameter that is moved alone.
        place: Of that kind.
        exponent: With its interval over seeds; infinite where a run diverged, nan if all is still.
    """

    way: str
    axis: str
    quantity: str
    what: str
    place: str
    exponent: Interval

    @property
    def answer(self) -> str:
        """``level``, ``grows``, ``falls``, ``cannot tell``, ``diverged`` or ``still``.

        A start may fall: a readout's does, and that of branches. So may, like √, what one kind
        changes alone. Neither may grow.
        """
        found = self.exponent
        if isnan(found.estimate):
            return "still"
        if isinf(found.estimate):
            return "diverged"
        falls = {"change": LEVEL, "start": inf}.get(self.what, LEVEL + UNALIGNED)
        if found.low > LEVEL:
            return "grows"
        if found.high < -falls:
            return "falls"
        return "level" if -falls <= found.low and found.high <= LEVEL else "cannot tell"


@dataclass(frozen=True)
class Model:
    """One type of model.

    Attributes:
        name: Its type in transformers.
        verdict: ``planned``, ``asks``, ``refused``, ``not built`` or ``not run``.
        said: Why, where it is not planned.
        base_depth: Blocks of the smallest copy.
        slopes: All that were measured.
    """

    name: str
    verdict: str
    said: str
    base_depth: int
    slopes: Sequence[Slope] = ()

    def change(self, way: str, quantity: str, axis: str) -> Interval:
        """The exponent with which the change of the stream or the logits goes."""
        wanted = way, quantity, axis, "change"
        return next(
            s.exponent for s in self.slopes if (s.way, s.quantity, s.axis, s.what) == wanted
        )

    @property
    def strays(self) -> list[Slope]:
        """What is surely not level under the plan."""
        return [s for s in self.slopes if s.way == "plan" and s.answer in NOT_LEVEL]

    @property
    def answer(self) -> str:
        """One of :data:`ANSWERS`, of the plan."""
        if self.strays:
            return "not level"
        of_plan = {s.answer for s in self.slopes if s.way == "plan"}
        return "cannot tell" if "cannot tell" in of_plan else "level"


NOT_LEVEL = ("grows", "falls", "diverged")


def models(frame: pd.DataFrame) -> list[Model]:
    """The models of a stored table, by name."""
    return [
        Model(
            name=str(name),
            verdict=str(rows["verdict"].iloc[0]),
            said=str(rows["said"].iloc[0]),
            base_depth=int(rows["base_depth"].iloc[0]),
            slopes=list(_slopes(rows)),
        )
        for name, rows in frame.groupby("model_type", sort=True)
    ]


def _slopes(rows: pd.DataFrame) -> Iterator[Slope]:
    for row in rows[rows.way.isin(WAYS)].to_dict("records"):
        # Ends are stored rounded, each by itself.
        middle = float(row["exponent"])
        half = (row["high"] - row["low"]) / 2 if isfinite(middle) else 0.0
        yield Slope(
            way=str(row["way"]),
            axis=str(row["axis"]),
            quantity=str(row["quantity"]),
            what=str(row["what"]),
            place=str(row["place"]),
            exponent=Interval.around(middle, half),
        )


def first_sentence(said: str, most: int = 220) -> str:
    """What was said without the class of the error, at most so many characters of it."""
    _, colon, told = said.partition(": ")
    told = told if colon else said
    return told if len(told) <= most else told[: told.rindex(" ", 0, most)] + " …"
