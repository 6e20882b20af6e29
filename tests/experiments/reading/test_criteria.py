"""What a value must be: the whole of an interval is judged, and there are three answers."""

from math import inf, nan

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.reading.criteria import (
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
from specmup.analysis.interval import Interval
from specmup.theory.order import ONE, Order

WIDE = Interval(0.0, -1.0, 1.0)
DEPTH = compared("lower", "higher", "cannot tell")


@pytest.mark.parametrize(
    ("value", "criterion", "verdict"),
    [
        (0.4, below(0.5), "held"),
        (0.5, below(0.5), "fell"),
        (WIDE, below(0.5), "cannot tell"),
        (WIDE, below(2), "held"),
        (WIDE, below(-1), "fell"),
        (0.5, above(0.5), "fell"),
        (0.6, above(0.5), "held"),
        (inf, above(0.5), "held"),
        (nan, above(0.5), "cannot tell"),
        (Interval(1.0, -inf, inf), above(0), "cannot tell"),
        (0.5, at_most(0.5), "held"),
        (0.5, at_least(0.5), "held"),
        (WIDE, at_most(0), "cannot tell"),
        (0.5, between(0.5, 1), "held"),
        (1.01, between(0.5, 1), "fell"),
        (1.01, outside(0.5, 1), "held"),
        (0.5, outside(0.5, 1), "fell"),
        (Interval(0.7, 0.6, 0.8), outside(0.5, 1), "fell"),
        (Interval(0.7, 0.4, 0.8), outside(0.5, 1), "cannot tell"),
        (Interval(0.7, 0.4, 1.1), outside(0.5, 1), "cannot tell"),
        (nan, outside(0.5, 1), "cannot tell"),
        (Interval(0.1, 0.05, 0.15), near(0, 0.15), "held"),
        (Interval(0.1, 0.0, 0.2), near(0, 0.15), "cannot tell"),
        (WIDE, open_at(0.5), "held"),
        (WIDE, open_at(2), "fell"),
        (Order(depth=-1), equal_to(Order(depth=-1)), "held"),
        (ONE, equal_to(Order(depth=-1)), "fell"),
        (np.int64(3), equal_to(3), "held"),
        ([0.1, 0.2], below(0.3), "held"),
        ([0.1, 0.4], below(0.3), "fell"),
        ([WIDE, Interval(3.0, 3.0, 3.0)], below(0.5), "fell"),
        ([WIDE, 0.1], below(0.5), "cannot tell"),
        (pd.Series([1, 1]), equal_to(1), "held"),
        ({"a": 1, "b": 2}, equal_to(1), "fell"),
        ([], below(1), "cannot tell"),
        (-1.0, says("lower", DEPTH), "held"),
        (1.0, says("lower", DEPTH), "fell"),
        (WIDE, says("lower", DEPTH), "fell"),
        (WIDE, says("cannot tell", DEPTH), "held"),
        (nan, says("lower", DEPTH), "cannot tell"),
    ],
)
def test_a_value_is_judged(value, criterion, verdict):
    assert judge(value, criterion) == verdict


@pytest.mark.parametrize("single", [np.float32, torch.tensor])
def test_a_limit_is_not_rounded_to_the_precision_of_the_value(single):
    assert judge(single(0.5), below(0.5)) == judge(single(0.5), above(0.5)) == "fell"
    assert judge(single(0.1), at_most(0.1)) == "fell"  # the nearest single lies above
    assert judge(single(0.1), open_at(0.1)) == "fell"
    assert judge(Interval(*map(single, (0.1, 0.0, 0.5))), below(0.5)) == "cannot tell"


def test_a_word_has_no_limit():
    with pytest.raises(TypeError, match=r"'0\.5' is no number to compare with a limit"):
        judge("0.5", below(1))


@pytest.mark.parametrize("words", ["aab", "aba", "baa", "aaa"])
def test_no_word_stands_for_two_answers(words):
    with pytest.raises(ValueError, match="are not three: name each answer apart"):
        compared(*words)


def test_only_a_word_that_is_among_them_can_be_expected():
    with pytest.raises(ValueError, match="'faster' is none of the words lower, higher"):
        says("faster", DEPTH)
