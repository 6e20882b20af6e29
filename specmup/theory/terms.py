"""Products of powers of unknown sizes, such as α·‖W‖: what equations are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property


@dataclass(frozen=True)
class Term:
    """A product of powers of unknown sizes, such as α·‖W‖; written with ``*``, ``/`` and ``**``.

    Args:
        powers: Pairs of an unknown's plain-text name and its non-zero power, in reading order.
    """

    powers: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def unknown(cls, name: str) -> Term:
        """The unknown itself, to the power one."""
        return cls(((name, Fraction(1)),))

    @cached_property
    def power(self) -> Mapping[str, Fraction]:
        """Power of each unknown that occurs."""
        return dict(self.powers)

    def __mul__(self, other: Term) -> Term:
        """Product: powers add, and what cancels disappears."""
        total = dict(self.powers)
        for name, power in other.powers:
            total[name] = total.get(name, Fraction(0)) + power
        return Term(tuple((name, power) for name, power in total.items() if power != 0))

    def __pow__(self, power: Fraction | int) -> Term:
        """Power of every factor."""
        return Term(tuple((name, p * power) for name, p in self.powers if p * power != 0))

    def __truediv__(self, other: Term) -> Term:
        """Quotient."""
        return self * other**-1

    def __str__(self) -> str:
        """Plain text such as ``α·‖W1‖``."""
        return "·".join(n if p == 1 else f"{n}^{p}" for n, p in self.powers) or "1"

    def latex(self) -> str:
        """LaTeX, with the norms drawn by the book's macro for ‖·‖_R."""
        factors = (_latex_name(n) + ("" if p == 1 else f"^{{{p}}}") for n, p in self.powers)
        return r"\,".join(factors) or "1"


def product(terms: Iterable[Term]) -> Term:
    """Product of any number of terms."""
    result = Term()
    for term in terms:
        result = result * term
    return result


def _latex_name(name: str) -> str:
    if not name.startswith("‖"):
        return {"α": r"\alpha"}[name]
    inner = name.strip("‖").replace("Δ", r"\Delta ")
    letter = inner.rstrip("0123456789")
    index = inner[len(letter) :]
    return rf"\opnorm{{{letter}{f'^{{({index})}}' if index else ''}}}"
