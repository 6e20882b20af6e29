"""One fault planted in a plan of ours: the audit names the parameter, the number and the power."""

import pytest
from planted import DEPTHS, WIDTHS, planned

from specmup.auditing.audit import audit
from specmup.theory.order import DEPTH, WIDTH, Order
from specmup.theory.update import LAWS

# One parameter of each role, and of hidden ones inside a branch and at its end.
PLACES = {
    "input": "tokens.weight",
    "hidden": "blocks.*.mlp.up.weight",
    "hidden at the end": "blocks.*.mlp.down.weight",
    "output": "readout.weight",
    "hidden_bias": "blocks.*.attention.query.bias",
    "hidden_bias at the end": "blocks.*.attention.out.bias",
    "norm_gain": "blocks.*.mlp_norm.weight",
    "input_bias": "norm.weight",
}
NUMBERS = ("start", "learning_rate", "weight_decay", "epsilon")
POWERS = {"width": WIDTH ** "1/2", "depth": DEPTH, "both": Order("-1/2", "1/2")}
ENDS = {
    "hidden": {"blocks.*.attention.out.weight", "blocks.*.mlp.down.weight"},
    "output": {"readout.weight"},
    "input": {"tokens.weight", "positions.weight"},
}


def found(build, **options):
    result = audit(build, widths=WIDTHS, depths=DEPTHS, **options)
    return {(fault.pattern, fault.number, fault.off) for fault in result.faults}, result


# Each optimizer under each k, one in the other gauge; the next optimizer the other way round.
GAUGES = ("forward", "folded")
PLANS = [(law, k, GAUGES[(n + k) % 2]) for n, law in enumerate(LAWS) for k in (1, 2)]


@pytest.mark.parametrize(("optimizer", "block_depth", "gauge"), PLANS)
def test_a_plan_has_none_in_any_gauge(optimizer, block_depth, gauge):
    build = planned(optimizer, gauge=gauge, block_depth=block_depth, bias=True)
    faults, result = found(build, block_depth=block_depth)
    assert faults == set() and result.agrees and not result.broken
    assert (
        result.rule == result.asked == ("the rule k = 1" if block_depth == 1 else "the rule k ≥ 2")
    )


@pytest.mark.parametrize("gauge", ["forward", "folded"])
def test_a_tied_plan_has_none(gauge):
    faults, result = found(planned(gauge=gauge, tied=True))
    assert faults == set() and result.agrees


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", PLACES)
def test_a_number_of_one_parameter(place, number):
    pattern, off = PLACES[place], POWERS["both"]
    if number == "start" and "bias" in pattern:
        pytest.skip("it starts at zero")
    faults, result = found(planned(fault=(pattern, number, off), bias=True))
    assert faults == {(pattern, number, off)}
    assert result.rule == "the rule k ≥ 2"
    assert not result.agrees
    (fault,) = result.faults
    assert fault.factors == {"width": 0.5, "depth": 2.0}
    assert bool(result.broken) == (number in ("start", "learning_rate"))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("gauge", ["forward", "folded"])
def test_one_that_grows_only_in_depth(gauge, number):
    pattern = PLACES["hidden at the end"]
    faults, result = found(planned(gauge=gauge, fault=(pattern, number, DEPTH)))
    assert faults == {(pattern, number, DEPTH)}
    assert [f.factors for f in result.faults] == [{"depth": DEPTHS[-1] / DEPTHS[0]}]


def test_an_epsilon_that_is_smaller_than_it_may_be_is_harmless():
    faults, result = found(planned(fault=("tokens.weight", "epsilon", DEPTH**-1)))
    assert faults == {("tokens.weight", "epsilon", DEPTH**-1)} and result.agrees


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("role", ENDS)
def test_a_multiplier_of_the_forward_pass(role, power):
    off = POWERS[power]
    faults, _ = found(planned(fault=(role, "multiplier", off), bias=True))
    assert faults == {(pattern, "multiplier", off) for pattern in ENDS[role]}


@pytest.mark.parametrize("optimizer", LAWS)
def test_a_rate_under_every_optimizer(optimizer):
    pattern = "blocks.*.mlp.down.weight"
    faults, _ = found(planned(optimizer, fault=(pattern, "learning_rate", DEPTH)))
    assert faults == {(pattern, "learning_rate", DEPTH)}


@pytest.mark.parametrize("optimizer", LAWS)
def test_a_multiplier_under_every_optimizer(optimizer):
    faults, _ = found(planned(optimizer, fault=("hidden", "multiplier", DEPTH ** "1/2")))
    assert faults == {(pattern, "multiplier", DEPTH ** "1/2") for pattern in ENDS["hidden"]}
