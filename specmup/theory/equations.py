"""Equations between products of unknown sizes, solved exactly.

An equation sets a product of unknowns equal to a known order, as in α·‖W‖·‖ΔW‖ = 1/L. Taking
logarithms makes it linear in the exponents, so elimination over the rational numbers decides
everything: which equations follow from the others, what is forced, what stays free, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from sympy import QQ, Rational
from sympy.polys.matrices import DomainMatrix

from specmup.theory.order import ONE, Order
from specmup.theory.terms import Term


class InconsistentEquations(ValueError):
    """Some equations contradict the others."""


@dataclass(frozen=True)
class Statement:
    """What is said of the size of ``term``, under a name by which proofs refer to it."""

    name: str
    term: Term
    size: Order


class Equation(Statement):
    """``term`` = Θ(``size``)."""

    def __str__(self) -> str:
        """Plain text such as ``[W1]: α·‖ΔW1‖·‖W2‖ = L^-1``."""
        return f"{self.name}: {self.term} = {self.size}"


class Bound(Statement):
    """``term`` = O(``size``): the term may be smaller, not larger."""

    def __str__(self) -> str:
        """Plain text such as ``start: α·‖W1‖ = O(L^-1/2)``."""
        return f"{self.name}: {self.term} = O({self.size})"


@dataclass(frozen=True)
class Combination:
    """A product of powers of equations that yields ``term`` = ``size``: a proof of it."""

    term: Term
    powers: tuple[tuple[Equation, Fraction], ...]

    @property
    def size(self) -> Order:
        """The size that the combination gives to the term."""
        result = ONE
        for equation, power in self.powers:
            result = result * equation.size**power
        return result

    def __str__(self) -> str:
        """One line: ``[W1] · [W2] / [W1,W2]  ⟹  α·‖W1‖·‖W2‖ = L^-1``."""
        return f"{self._names()}  ⟹  {self.term} = {self.size}"

    def proof(self) -> str:
        """Every equation used, then the combination, a line each."""
        return "\n".join([*(str(equation) for equation, _ in self.powers), str(self)])

    def latex(self) -> str:
        """An aligned display: every equation used, then their combination."""
        lines = [
            rf"\text{{{e.name}}} &: & {e.term.latex()} &= {e.size.latex()}" for e, _ in self.powers
        ]
        names = self._names().replace(" · ", r"}\cdot\text{").replace(" / ", r"}\,/\,\text{")
        lines.append(rf"\text{{{names}}} &: & {self.term.latex()} &= {self.size.latex()}")
        return r"\begin{aligned}" + r" \\ ".join(lines) + r"\end{aligned}"

    def _names(self) -> str:
        above = [_powered(e.name, p) for e, p in self.powers if p > 0]
        below = [_powered(e.name, -p) for e, p in self.powers if p < 0]
        return " / ".join([" · ".join(above) or "1", *below])


@dataclass(frozen=True)
class System:
    """Equations and bounds on unknown sizes.

    Args:
        equations: In the order in which a reader should prefer them: where several equations say
            the same, the earlier ones are kept and the later ones are called redundant.
        bounds: Upper bounds that every solution must respect.

    Raises:
        InconsistentEquations: If an equation contradicts earlier ones, or a forced size breaks a
            bound; the message shows the contradiction.
    """

    equations: tuple[Equation, ...]
    bounds: tuple[Bound, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a system without a solution."""
        for equation, combination in self.redundant.items():
            if combination.size != equation.size:
                raise InconsistentEquations(f"{equation} contradicts {combination}")
        for bound in self.bounds:
            forced = self.derive(bound.term)
            if forced is not None and not forced.size <= bound.size:
                raise InconsistentEquations(f"{forced} breaks the bound {bound}")

    def adding(self, equations: Sequence[Equation]) -> System:
        """The same system with more equations, for instance a choice of gauge."""
        return System((*self.equations, *equations), self.bounds)

    @cached_property
    def unknowns(self) -> tuple[str, ...]:
        """Names of all unknowns, in order of appearance."""
        stated = (*self.equations, *self.bounds)
        return tuple(dict.fromkeys(name for s in stated for name, _ in s.term.powers))

    @cached_property
    def independent(self) -> tuple[Equation, ...]:
        """The earliest equations from which all others follow."""
        return tuple(self.equations[column] for column in self._reduced[1])

    @cached_property
    def redundant(self) -> dict[Equation, Combination]:
        """Each remaining equation with the combination of independent ones that yields it."""
        reduced, pivots = self._reduced
        return {
            equation: self._read(equation.term, reduced, pivots, column)
            for column, equation in enumerate(self.equations)
            if column not in pivots
        }

    def derive(self, term: Term) -> Combination | None:
        """The combination of equations that forces the size of ``term``; None if it is free."""
        if any(name not in self.unknowns for name in term.power):
            return None
        reduced, pivots = self._reduce([*(e.term for e in self.equations), term])
        column = len(self.equations)
        return None if column in pivots else self._read(term, reduced, pivots, column)

    def size(self, term: Term) -> Order:
        """The forced order of ``term``.

        Raises:
            ValueError: If the equations leave it free.
        """
        derived = self.derive(term)
        if derived is None:
            raise ValueError(f"{term} is left free by the equations: fix a gauge first")
        return derived.size

    @cached_property
    def freedom(self) -> tuple[Term, ...]:
        """Independent rescalings that change no equation: a basis of what stays free.

        A term α^-1·‖W1‖ among them says: divide α by any size c and multiply ‖W1‖ by c.
        """
        rows = [[e.term.power.get(u, Fraction(0)) for u in self.unknowns] for e in self.equations]
        kernel = _matrix(rows, len(self.unknowns)).nullspace().to_Matrix().tolist()
        return tuple(_term(self.unknowns, row) for row in kernel)

    @cached_property
    def _reduced(self) -> tuple[list[list[Fraction]], tuple[int, ...]]:
        return self._reduce([e.term for e in self.equations])

    def _reduce(self, terms: Sequence[Term]) -> tuple[list[list[Fraction]], tuple[int, ...]]:
        # One column a term, one row an unknown. In the reduced form the pivot columns are the
        # earliest independent terms, and every other column holds its powers in them.
        rows = [[t.power.get(u, Fraction(0)) for t in terms] for u in self.unknowns]
        reduced, pivots = _matrix(rows, len(terms)).rref()
        entries = [
            [Fraction(int(x.p), int(x.q)) for x in row] for row in reduced.to_Matrix().tolist()
        ]
        return entries, tuple(pivots)

    def _read(
        self, term: Term, reduced: list[list[Fraction]], pivots: tuple[int, ...], column: int
    ) -> Combination:
        powers = ((self.equations[p], reduced[row][column]) for row, p in enumerate(pivots))
        return Combination(term, tuple((e, power) for e, power in powers if power != 0))


def _matrix(rows: list[list[Fraction]], columns: int) -> DomainMatrix:
    entries = [[QQ(x.numerator, x.denominator) for x in row] for row in rows]
    return DomainMatrix(entries, (len(rows), columns), QQ)


def _term(unknowns: Sequence[str], powers: Sequence[Rational]) -> Term:
    exact = (Fraction(int(p.p), int(p.q)) for p in powers)
    return Term(tuple((u, p) for u, p in zip(unknowns, exact, strict=True) if p != 0))


def _powered(name: str, power: Fraction) -> str:
    return name if power == 1 else f"({name})^{power}"
