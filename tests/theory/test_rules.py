"""Rules against the published tables, and their invariants."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.theory.layer import MatrixSize
from specmup.theory.order import ONE, WIDTH, Order
from specmup.theory.rules import (
    ROLES,
    hybrid,
    parametrization,
    rules,
    solved_layers,
    standard,
)
from specmup.theory.tables import FORMATS
from specmup.theory.update import LAWS, update_law


def o(width=0, depth=0):
    return Order(width, depth)


W = ("input", "hidden", "output")
B = (*W, "hidden_bias")
# zheng2026, Tables 3, 5, 6 (k ≥ 2): (optimizer, entry) -> factors by role. Table 5 is SGD's,
# Table 6 AdamW's, Table 3 Muon-Kimi's.
TWO_MAPS = {
    ("muon-kimi", "learning_rate"): (W, [o(), o("-1/2"), o()]),
    ("muon-kimi", "weight_decay"): (W, [o(), o("1/2"), o()]),
    ("sgd", "learning_rate"): (B, [o(1), o(0, 1), o(1), o(1, 1)]),
    ("sgd", "weight_decay"): (B, [o(-1), o(0, -1), o(-1), o(-1, -1)]),
    ("adamw", "learning_rate"): (B, [o(), o(-1), o(), o()]),
    ("adamw", "weight_decay"): (B, [o(), o(1), o(), o()]),
    ("adamw", "epsilon"): (B, [o(-1), o(-1, -1), o(-1), o(-1, -1)]),
}
# zheng2026, Tables 9, 11, 12 (k = 1); only what stands in a block differs.
ONE_MAP = {
    ("muon-kimi", "learning_rate"): (W, [o(), o("-1/2", "-1/2"), o()]),
    ("muon-kimi", "weight_decay"): (W, [o(), o("1/2"), o()]),
    ("sgd", "learning_rate"): (B, [o(1), o(), o(1), o(1)]),
    ("sgd", "weight_decay"): (B, [o(-1), o(0, "-1/2"), o(-1), o(-1, "-1/2")]),
    ("adamw", "learning_rate"): (B, [o(), o(-1, "-1/2"), o(), o(0, "-1/2")]),
    ("adamw", "weight_decay"): (B, [o(), o(1), o(), o()]),
    ("adamw", "epsilon"): (B, [o(-1), o(-1, "-1/2"), o(-1), o(-1, "-1/2")]),
}
TABLES = [(k, *key, *cells) for k, t in ((1, ONE_MAP), (2, TWO_MAPS)) for key, cells in t.items()]
optimizers = st.sampled_from(sorted(LAWS))
# A clamp compares a weight's norm with a constant, so no change of variables leaves it alone.
gauge_free = st.sampled_from(sorted(set(LAWS) - {"lamb-clamped"}))
block_depths = st.integers(1, 5)


@pytest.mark.parametrize(("k", "optimizer", "entry", "roles", "cells"), TABLES)
def test_published_tables(k, optimizer, entry, roles, cells):
    table = rules(optimizer, k)
    assert [getattr(table[role], entry) for role in roles] == cells


@given(optimizers, block_depths)
def test_multiplier_and_variance_columns(optimizer, k):
    table = rules(optimizer, k)
    alpha = o(0, "-1/2") if k == 1 else o(0, -1)
    assert [table[r].multiplier for r in B] == [ONE, alpha, o(-1), alpha]
    assert [table[r].init_variance for r in B] == [ONE, o(-1), ONE, ONE]


@given(optimizers, block_depths, st.sampled_from(ROLES))
def test_rate_times_decay_does_not_depend_on_size(optimizer, k, role):
    rule = rules(optimizer, k)[role]
    in_a_block = role in ("hidden", "hidden_bias", "norm_gain")
    expected = o(0, "-1/2") if k == 1 and in_a_block else ONE
    assert rule.learning_rate * rule.weight_decay == expected


@given(optimizers, st.sampled_from(["sp", "k1", "k2"]), st.sampled_from(ROLES))
def test_every_factor_is_one_at_the_base_size(optimizer, name, role):
    rule = parametrization(name, optimizer)[role]
    for entry in fields(rule)[1:]:
        order = getattr(rule, entry.name)
        assert order is None or order.evaluate(1, 1) == 1


@given(optimizers, st.integers(2, 6))
def test_beyond_two_maps_nothing_changes(optimizer, k):
    assert rules(optimizer, k).rows == rules(optimizer, 2).rows


@given(
    gauge_free, block_depths, st.sampled_from(ROLES), st.builds(Order, *[st.integers(-2, 2)] * 2)
)
def test_a_change_of_gauge_follows_the_known_identities(optimizer, k, role, c):
    """W = cW': std ÷ c; η ÷ c^p and λ × c^p; ε × c^q, with p and q of the optimizer."""
    layer, law = solved_layers(k)[role], update_law(optimizer)
    before, after = layer.rule(law), layer.regauged(c).rule(law)
    # SGD's step grows with the gradient; LAMB's shrinks with the weight; all others are fixed.
    power = {"sgd": 2, "lamb": 0}.get(optimizer, 1)
    of_epsilon = {"sophia": 2, "shampoo": 2}.get(optimizer, 1)
    assert after.multiplier == before.multiplier * c
    assert after.init_variance == before.init_variance / c**2
    assert after.learning_rate == before.learning_rate / c**power
    assert after.weight_decay == before.weight_decay * c**power
    if before.epsilon is not None:
        assert after.epsilon == before.epsilon * c**of_epsilon


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
@given(optimizer=optimizers, k=block_depths)
def test_tables_say_that_a_gain_before_one_map_makes_two(written, optimizer, k):
    carried = hybrid(optimizer, "adamw", k).changed("hidden", learning_rate=ONE)
    for table in (rules(optimizer, k), carried):
        assert ("rule is that of k = 2" in written(table)) == (k == 1)


def test_folding_removes_the_multiplier():
    assert solved_layers(2)["hidden"].folded().multiplier == ONE
    folded = solved_layers(2)["output"].folded().rule(update_law("adamw"))
    assert folded.init_variance == o(-2)
    assert folded.learning_rate == o(-1)


def test_the_condition_is_met_by_construction_and_broken_by_a_wrong_exponent():
    """η·‖A‖_R must be the required ‖ΔW‖_R; a learning rate off by √n is caught."""
    layer, law = solved_layers(2)["hidden"], update_law("adamw")
    step = law.step(layer.layer).rms_operator
    rate = layer.rule(law).learning_rate
    assert rate * step == layer.update_norm
    assert rate * WIDTH ** "1/2" * step != layer.update_norm


def test_changed_rules_differ_in_one_entry_only():
    right = rules("adamw", 2)
    wrong = right.changed("hidden", learning_rate=Order("-1/2"))
    assert wrong["hidden"].learning_rate == Order("-1/2")
    assert wrong["hidden"].init_variance == right["hidden"].init_variance
    assert all(wrong[role] == right[role] for role in ROLES if role != "hidden")


def test_hybrid_takes_hidden_matrices_from_one_and_the_rest_from_the_other():
    mixed = hybrid("muon-kimi", "adamw", 2)
    assert mixed["hidden"] == rules("muon-kimi", 2)["hidden"]
    assert mixed["hidden_bias"] == rules("adamw", 2)["hidden_bias"]
    assert parametrization("k2", "muon-kimi").rows == mixed.rows


def test_standard_parametrization_scales_only_the_start():
    for rule in standard("sgd").values():
        assert (rule.multiplier, rule.learning_rate, rule.weight_decay) == (ONE, ONE, ONE)
        assert rule.epsilon is None
    assert standard("adamw")["hidden"].init_variance == o(-1)


@given(st.builds(Order, *[st.integers(-2, 2)] * 2), st.builds(Order, *[st.integers(0, 2)] * 2))
def test_sizes_of_a_rank_one_matrix_are_consistent(size, fan_in):
    matrix = MatrixSize(WIDTH, fan_in, size, size)
    assert matrix.sign().entry == ONE
    assert matrix.sign().frobenius == (WIDTH * fan_in) ** "1/2"
    assert matrix.orthogonalised().spectral == ONE


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'adam'.*sgd, adamw, lion"):
        rules("adam", 2)
    with pytest.raises(ValueError, match=r"'mup'.*sp, k1, k2"):
        parametrization("mup", "sgd")
    with pytest.raises(KeyError, match="unknown role 'embedding'"):
        rules("sgd", 2)["embedding"]


@given(optimizers, block_depths)
def test_all_formats_hold_every_role(optimizer, k):
    table = rules(optimizer, k)
    for write in FORMATS.values():
        text = write(table)
        assert all(role in text or role.replace("_", " ") in text for role in ROLES)
    rows = json.loads(FORMATS["json"](table))
    assert [row["role"] for row in rows] == list(ROLES)
    for row in rows:
        rule = table[row["role"]]
        for name in ("multiplier", "init_variance", "learning_rate", "weight_decay", "epsilon"):
            written, order = row[name], getattr(rule, name)
            assert written is None if order is None else Order(written["n"], written["L"]) == order


fans = st.sampled_from([16, 64, 256])


@given(optimizers, block_depths, st.sampled_from(ROLES), fans, st.integers(1, 9), st.integers(1, 9))
def test_numbers_follow_the_orders_where_all_fans_grow_alike(optimizer, k, role, base, r_n, r_L):
    solved, law = solved_layers(k)[role], update_law(optimizer)
    if optimizer == "lamb-clamped":
        base *= 100  # the clamp acts on ‖W‖_F above one, at both sizes

    def numbers(width, depth):
        fan_out, fan_in = (width if o == WIDTH else 1 for o in solved_fans(solved))
        return solved.at(fan_out=fan_out, fan_in=fan_in, width=width, depth=depth).rule(law)

    small, large, orders = numbers(base, 4), numbers(base * r_n, 4 * r_L), solved.rule(law)
    for entry in fields(orders)[1:]:
        order = getattr(orders, entry.name)
        if order is not None:
            ratio = getattr(large, entry.name) / getattr(small, entry.name)
            assert ratio.value == pytest.approx(order.evaluate(r_n, r_L))


def solved_fans(solved):
    return solved.layer.fan_out, solved.layer.fan_in


def test_a_fan_that_grows_more_slowly_gets_a_factor_of_its_own():
    """AdamW's rate counts inputs only: a hidden map from 2n to n coordinates follows 1/(2n)."""
    solved, law = solved_layers(2)["hidden"], update_law("adamw")
    small = solved.at(fan_out=64, fan_in=64, width=64, depth=4).rule(law)
    large = solved.at(fan_out=256, fan_in=384, width=256, depth=4).rule(law)
    assert (large.learning_rate / small.learning_rate).value == pytest.approx(1 / 6)
