"""The value of a claim is printed the same way wherever it stands."""

from fractions import Fraction

import pytest
import sympy

from experiments.reading.values import text_of
from specmup.analysis.interval import Interval
from specmup.theory.order import Order

WIDE = Interval(0.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.125, "−0.12"),
        (Interval(-0.5, -0.6, -0.4), "−0.50 ± 0.10"),
        (1234, "1,234"),
        (sympy.Integer(-3), "−3"),
        (Fraction(-1, 2), "−1/2"),
        (True, "True"),
        (Order(depth=-1), "L^−1"),
        ("lower-case", "lower-case"),
        ([-0.1, 0.25], "−0.10 to 0.25 (2 values)"),
        ([WIDE, Interval(2.0, 1.0, 3.0)], "−1.00 to 3.00 (2 intervals)"),
        (["a", "b"], "a, b"),
        ([0.5], "0.50"),
    ],
)
def test_a_value_as_text(value, text):
    assert text_of(value) == text
