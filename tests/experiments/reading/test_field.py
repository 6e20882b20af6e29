"""Printed rules: read exactly, judged in what they say, and equal to ours where they should be."""

import pytest

from experiments.reading.field import carried_to_ours, order, printed
from specmup.theory.order import DEPTH, ONE, WIDTH, Order

FIELD = printed()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", ONE),
        ("n", WIDTH),
        ("n^-1", WIDTH**-1),
        ("L^1/2", DEPTH ** "1/2"),
        ("n^-1/2·L^-1", Order("-1/2", -1)),
    ],
)
def test_orders_are_read_as_they_are_printed(text, expected):
    assert order(text) == expected
    assert order(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "m", "n^x", "n L", "2"])
def test_what_is_no_order_is_refused(text):
    with pytest.raises(ValueError):
        order(text)


@pytest.mark.parametrize("name", FIELD)
def test_every_rule_says_something_and_has_a_source(name):
    rule = FIELD[name]
    assert rule.name.startswith("SP, ") or (rule.cite and rule.where)
    assert rule.speaks in ("n", "nL")
    assert {"input", "hidden", "output"} <= set(rule.scaling.rows)
    assert rule.departures(2)


def test_only_what_is_said_is_judged():
    assert not any(d.demand in ("decay", "epsilon") for d in FIELD["NTK"].departures(2))
    said = {d.demand for d in FIELD["CompleteP"].departures(2)}
    assert {"decay", "epsilon", "order 2"} <= said


# What the sources themselves say of these rules: exact for one map, for two, or in width alone.
@pytest.mark.parametrize(
    ("name", "block_depth", "sizes", "met"),
    [
        ("μP, Adam", 2, "n", True),
        ("μP, Adam", 2, "L", False),
        ("Depth-μP, Adam", 1, "nL", True),
        ("Depth-μP, Adam", 2, "L", False),
        ("CompleteP", 2, "nL", True),
        ("CompleteP, first code", 2, "L", False),
        ("NTK", 1, "n", False),
        ("SP, AdamW", 2, "n", False),
    ],
)
def test_verdicts(name, block_depth, sizes, met):
    assert FIELD[name].met(block_depth, sizes) is met


def test_one_rule_in_several_gauges():
    assert carried_to_ours(FIELD["μP, SGD"], 2)["output"] == WIDTH**-1
    assert carried_to_ours(FIELD["mean field"], 2)["hidden"] == WIDTH ** "1/2"


def test_a_rule_that_is_not_ours_says_where():
    with pytest.raises(ValueError, match="u-μP: input, learning_rate"):
        carried_to_ours(FIELD["u-μP"], 1)
