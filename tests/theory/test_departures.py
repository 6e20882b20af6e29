"""Tables held against the condition: the solver's own, in any gauge, and tables with one fault."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specmup.parametrization.gauges import gauge_change
from specmup.theory.departures import Scaling, departures
from specmup.theory.order import DEPTH, ONE, WIDTH, Order
from specmup.theory.rules import parametrization, rules, standard
from specmup.theory.update import LAWS

OPTIMIZERS = sorted(set(LAWS) - {"lamb-clamped"})  # a clamp has no rule in both sizes


def solved(optimizer, block_depth):
    name = "k1" if block_depth == 1 else "k2"
    return Scaling.of(parametrization(name, optimizer), optimizer)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("block_depth", [1, 2, 3])
def test_the_solver_meets_every_demand(optimizer, block_depth):
    found = departures(solved(optimizer, block_depth), block_depth)
    assert [d for d in found if not d.met] == []
    assert {d.role for d in found} == set(rules("adamw", 2))


exponents = st.sampled_from(["-1", "-1/2", "0", "1/2", "1"])


@settings(max_examples=25)
@given(st.data())
def test_no_gauge_changes_what_is_met(data):
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    block_depth = data.draw(st.integers(1, 2))
    before = after = solved(optimizer, block_depth)
    for role in before.rows:
        c = Order(data.draw(exponents), data.draw(exponents))
        after = after.regauged(role, c, block_depth)
    found = zip(departures(before, block_depth), departures(after, block_depth), strict=True)
    assert [(a.demand, a.off) for a, b in found if a.off != b.off] == []


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS) - {"sso"}))  # its package form differs
def test_a_gauge_has_the_powers_that_plans_use(optimizer):
    scaling, c = solved(optimizer, 2), WIDTH
    before, after = scaling.rows["hidden"], scaling.regauged("hidden", c, 2).rows["hidden"]
    powers = gauge_change(LAWS[optimizer])
    assert before.learning_rate / after.learning_rate == c**powers.rate
    assert after.weight_decay / before.weight_decay == c**powers.rate
    if powers.epsilon is not None:
        assert after.epsilon / before.epsilon == c**powers.epsilon


FAULTS = [
    ("init_variance", WIDTH, "start"),
    ("learning_rate", WIDTH ** "1/2", "order 1"),
    ("learning_rate", DEPTH ** "-1/2", "order 1"),
    ("weight_decay", WIDTH, "decay"),
    ("epsilon", DEPTH**-1, "epsilon"),
]


@pytest.mark.parametrize(("entry", "factor", "demand"), FAULTS)
@pytest.mark.parametrize("role", ["input", "hidden", "output", "input_bias", "hidden_bias"])
def test_a_fault_is_named_with_its_factor(entry, factor, demand, role):
    right = solved("adamw", 2)
    row = right.rows[role]
    faulty = replace(row, **{entry: getattr(row, entry) * factor})
    found = departures(replace(right, rows={**right.rows, role: faulty}), 2)
    missed = {(d.role, d.demand): d.off for d in found if not d.met}
    expected = factor ** "1/2" if entry == "init_variance" else factor
    if (role, demand) == ("hidden", "start"):
        expected = expected**2  # two maps
    assert missed[role, demand] == expected
    if entry in ("weight_decay", "epsilon"):
        assert len(missed) == 1


def test_fading_at_the_second_order():
    """Depth-μP on two maps: every first-order term as asked, the second fades (chapter 6)."""
    found = departures(Scaling.of(rules("adamw", 1), "adamw"), 2)
    hidden = {d.demand: d.off for d in found if d.role == "hidden"}
    assert hidden["order 1"] == ONE
    assert hidden["order 2"] == DEPTH ** "-1/2"
    assert hidden["start"] == DEPTH ** "1/2"


def test_the_standard_parametrization_breaks_what_is_known():
    """AdamW, SP: hidden maps and the readout move n times too far, the branch starts too large."""
    found = departures(Scaling.of(standard("adamw"), "adamw"), 2)
    off = {(d.role, d.demand): d.off for d in found if not d.met}
    assert off["output", "start"] == WIDTH ** "1/2"
    assert off["output", "order 1"] == WIDTH
    assert off["hidden", "order 1"] == WIDTH * DEPTH
    assert off["hidden", "start"] == DEPTH
    assert ("input", "order 1") not in off


def test_one_map_may_start_small():
    """CompleteP's multiplier on one map: nothing is broken, but the start stays below its bound."""
    found = departures(Scaling.of(rules("adamw", 2), "adamw"), 1)
    start = next(d for d in found if (d.role, d.demand) == ("hidden", "start"))
    assert start.bound and start.met and start.off == DEPTH ** "-1/2"
    assert next(d.off for d in found if (d.role, d.demand) == ("hidden", "order 1")) == ONE
