"""The exact solver: planted solutions are found, contradictions refused, proofs check out."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.theory.equations import Bound, Equation, InconsistentEquations, System
from specmup.theory.order import DEPTH, ONE, Order
from specmup.theory.terms import Term, product

NAMES = ["‖a‖", "‖b‖", "‖c‖", "‖d‖"]
A, B, C, D = map(Term.unknown, NAMES)
small = st.integers(-2, 2)
planted_orders = st.builds(Order, small, small)
terms = st.lists(small, min_size=4, max_size=4).map(
    lambda powers: product(Term.unknown(n) ** p for n, p in zip(NAMES, powers, strict=True))
)


def value(term, planted):
    result = ONE
    for name, power in term.powers:
        result = result * planted[name] ** power
    return result


@given(st.lists(planted_orders, min_size=4, max_size=4), st.lists(terms, max_size=6), terms)
def test_whatever_is_derived_holds_for_the_planted_solution(planted, stated, asked):
    planted = dict(zip(NAMES, planted, strict=True))
    equations = tuple(Equation(f"e{i}", t, value(t, planted)) for i, t in enumerate(stated))
    system = System(equations)
    derived = system.derive(asked)
    if derived is not None:
        assert derived.size == value(asked, planted)
        assert product(e.term**p for e, p in derived.powers).power == asked.power
    assert len(system.independent) + len(system.redundant) == len(set(equations))
    assert len(system.freedom) == len(system.unknowns) - len(system.independent)


@given(st.lists(terms, min_size=1, max_size=5))
def test_freedom_changes_no_equation(stated):
    system = System(tuple(Equation(f"e{i}", t, ONE) for i, t in enumerate(stated)))
    for direction in system.freedom:
        for equation in system.equations:
            change = sum(direction.power.get(n, 0) * p for n, p in equation.term.powers)
            assert change == 0


def test_earlier_equations_are_kept_and_later_ones_called_redundant():
    first, second = Equation("first", A * B, DEPTH), Equation("second", A, ONE)
    third = Equation("third", B**2, DEPTH**2)
    system = System((first, second, third))
    assert system.independent == (first, second)
    combination = system.redundant[third]
    assert dict(combination.powers) == {first: Fraction(2), second: Fraction(-2)}
    assert str(combination) == "(first)^2 / (second)^2  ⟹  ‖b‖^2 = L^2"


def test_contradictions_are_refused_and_shown():
    with pytest.raises(InconsistentEquations, match=r"e2: .* contradicts e0 · e1"):
        System((Equation("e0", A, DEPTH), Equation("e1", B, ONE), Equation("e2", A * B, ONE)))


def test_a_forced_size_above_its_bound_is_refused():
    equations = (Equation("e", A, DEPTH),)
    assert System(equations, (Bound("ok", A, DEPTH),)).size(A) == DEPTH
    with pytest.raises(InconsistentEquations, match="breaks the bound"):
        System(equations, (Bound("tight", A, ONE),))


def test_asking_for_a_free_size_is_refused():
    with pytest.raises(ValueError, match=r"‖a‖ is left free.*gauge"):
        System((Equation("e", A * B, ONE),)).size(A)
    assert System((Equation("e", A, ONE),)).derive(C) is None


def test_latex_of_unknown_names():
    assert (Term.unknown("α") * Term.unknown("‖ΔW12‖")).latex() == (
        r"\alpha\,\opnorm{\Delta W^{(12)}}"
    )
    assert Term().latex() == "1"
    assert (A**2).latex() == r"\opnorm{a}^{2}"
