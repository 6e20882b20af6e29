"""Orders and numbers, as a person writes them."""

from fractions import Fraction

import pytest

from diagrams.drawing import written
from specmup.theory.order import Order


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (Order(), "1"),
        (Order(1), "*n*"),
        (Order(-1), "1/*n*"),
        (Order(0, "1/2"), "√*L*"),
        (Order(0, "-1/2"), "1/√*L*"),
        (Order(-1, "-1/2"), "1/(*n*√*L*)"),
        (Order(1, -1), "*n*/*L*"),
        (Order(2, "-3/2"), "*n*^{2}/*L*^{3/2}"),
    ],
)
def test_an_order(size, words):
    assert written.order(size) == words


def test_a_factor_is_one_in_ratios():
    assert written.ratio(Order(-1, "1/2")) == "√*r*_{*L*}/*r*_{*n*}"


@pytest.mark.parametrize(("value", "words"), [(4, "4"), (0.25, "1/4"), (1, "1"), (1 / 16, "1/16")])
def test_a_number(value, words):
    assert written.number(value) == words


@pytest.mark.parametrize("value", [0.75, 2.5, 2**0.5])
def test_a_number_that_is_no_neat_factor_is_refused(value):
    with pytest.raises(ValueError, match=f"{value} is no whole number"):
        written.number(value)


@pytest.mark.parametrize(
    ("name", "moved", "words"),
    [("W1", False, "*W*^{(1)}"), ("W2", True, "Δ*W*^{(2)}"), ("W", True, "Δ*W*")],
)
def test_a_matrix(name, moved, words):
    assert written.matrix(name, moved) == words


def test_numbers_and_orders_agree():
    """A rule's factor at real ratios is what its order says."""
    factor = Order(-1, Fraction(-1))
    assert written.number(factor.evaluate(4, 2)) == "1/8"
