"""Counts beside width and depth: what the condition asks of experts and of shared heads."""

import pytest

from specmup.theory.condition import solve_condition
from specmup.theory.counts import (
    GATES,
    LOAD,
    attention_scale,
    expert_layers,
    expert_rules,
    missed,
    shared_layer,
    shared_rule,
)
from specmup.theory.order import (
    ACTIVE,
    DEPTH,
    EXPERTS,
    GROUP,
    HEAD,
    ONE,
    WIDTH,
    IncomparableOrders,
    Order,
)
from specmup.theory.rules import rules, solved_layers
from specmup.theory.tables import plain, to_json
from specmup.theory.update import LAWS, update_law

ENTRIES = ("multiplier", "init_variance", "learning_rate", "weight_decay", "epsilon")
# Laws whose step grows with the gradient, and the power of it.
GROWING = {"sgd": 1}


def without_counts(order):
    return None if order is None else Order(order.width, order.depth)


@pytest.mark.parametrize("block_depth", [1, 2, 3])
@pytest.mark.parametrize("gates", GATES)
def test_what_one_expert_adds_is_a_branch_of_all_that_a_token_meets(block_depth, gates):
    layers = expert_layers(block_depth, gates)
    in_front = layers["expert"].multiplier * GATES[gates]
    of_all = solve_condition(block_depth, terms=DEPTH * ACTIVE)
    assert in_front == of_all.start_size  # weights are of norm one
    assert layers["router"].multiplier == layers["expert"].multiplier


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize("block_depth", [1, 2])
def test_with_counts_that_stay_an_expert_is_a_hidden_map(name, gates, block_depth):
    expert, hidden = expert_rules(name, block_depth, gates)["expert"], rules(name, block_depth)
    for entry in ENTRIES:
        found = without_counts(getattr(expert, entry))
        assert found == getattr(hidden["hidden"], entry), entry


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("gates", GATES)
def test_the_rules_meet_the_demand_and_the_dense_ones_miss_it(name, gates):
    law, solved = update_law(name), expert_rules(name, 2, gates)
    dense = rules(name, 2)["hidden"]
    for role, layer in expert_layers(2, gates).items():
        row = solved[role]
        told = {"multiplier": row.multiplier, "learning_rate": row.learning_rate}
        assert missed(layer, law, **told) == ONE
        if role == "expert":
            told = {"multiplier": dense.multiplier, "learning_rate": dense.learning_rate}
            gated = GATES[gates] * ACTIVE  # all gates of a token together
            power = GROWING.get(name, 0)
            assert missed(layer, law, **told) == gated * (gated / EXPERTS) ** power


@pytest.mark.parametrize("name", LAWS)
def test_rates_of_experts_know_their_number_only_where_steps_grow_with_the_gradient(name):
    for row in expert_rules(name, 2, "chosen").values():
        power = GROWING.get(name, 0)
        assert row.learning_rate.of("experts") == power
        assert row.learning_rate.of("active") == row.multiplier.of("active") == 0


def test_as_numbers_an_expert_of_any_width_has_its_own_fans():
    """An expert half as wide, twice as many of them: its second map reads half as much."""
    down, law = expert_layers(2)["expert"], update_law("adamw")
    sizes = {"fan_out": 64, "width": 64, "depth": 2, "active": 2}
    whole, half = (
        down.at(fan_in=inside, experts=number, **sizes).rule(law).learning_rate
        for inside, number in ((64, 8), (32, 16))
    )
    assert (half / whole).value == pytest.approx(2)


def test_a_router_is_a_readout_in_the_sum_over_blocks():
    router = expert_rules("adamw")["router"]
    assert (router.learning_rate, router.init_variance) == (WIDTH**-1, WIDTH**-2)
    assert expert_layers(2)["router"].layer.sensitivity == (DEPTH * ACTIVE) ** -1 * LOAD


def test_epsilon_of_experts_follows_the_tokens_that_they_see():
    expert = expert_rules("adamw")["expert"]
    assert expert.epsilon == (WIDTH * DEPTH * EXPERTS) ** -1


def test_unknown_gates_are_refused():
    with pytest.raises(ValueError, match="unknown gates 'hard': choose one of chosen, all, sigm"):
        expert_layers(2, "hard")


def test_tables_write_counts_as_ratios():
    assert "r_L·r_E" in plain(expert_rules("sgd"))
    assert '"E": "1"' in to_json(expert_rules("sgd"))


@pytest.mark.parametrize("name", [name for name in LAWS if name != "lamb-clamped"])
@pytest.mark.parametrize("aligned", [True, False])
def test_unshared_heads_have_the_rule_of_a_hidden_map(name, aligned):
    shared, hidden = shared_rule(name, aligned=aligned), rules(name, 2)["hidden"]
    for entry in ENTRIES:
        assert without_counts(getattr(shared, entry)) == getattr(hidden, entry), entry


def test_where_sizes_decide_which_term_is_larger_there_is_no_rule():
    """Whether LAMB's clamp binds depends on how n and Q grow together."""
    with pytest.raises(IncomparableOrders, match="n, L and Q"):
        shared_rule("lamb-clamped")


@pytest.mark.parametrize(
    ("name", "aligned", "power"),
    [
        ("sgd", True, -1),
        ("sgd", False, "-1/2"),
        *(("adamw", aligned, 0) for aligned in (True, False)),
        *(("muon", aligned, "-1/2") for aligned in (True, False)),
    ],
)
def test_rates_of_shared_maps(name, aligned, power):
    rate = shared_rule(name, aligned=aligned).learning_rate
    assert rate / rules(name, 2)["hidden"].learning_rate == GROUP**power


def test_the_start_of_a_shared_map_keeps_its_outputs_and_not_its_norm():
    solved = shared_layer()
    typical = shared_rule("adamw").init_variance
    assert typical == WIDTH**-1 == solved_layers(2)["hidden"].layer.init_std ** 2
    assert typical / solved.layer.init_std**2 == GROUP


def test_attention_divides_by_the_head_dimension():
    assert attention_scale().size == HEAD**-1
    assert solve_condition(1, terms=HEAD).start_size == HEAD ** "-1/2"
