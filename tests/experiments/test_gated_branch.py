"""A gated branch is one of three maps: what it records, and that its claim can fail."""

import math

import pandas as pd
import pytest

from experiments.gated_branch import BRANCHES, ORDERS, train_and_expand
from specmup.theory.condition import solve_condition
from specmup.theory.order import ONE, Order
from specmup.theory.rules import solved_layers

SMALL = {"optimizer": "adamw", "batch_size": 64, "width": 32, "seeds": [0, 1], "moments": [1, 3]}


@pytest.fixture(scope="module")
def frames():
    return {
        (branch, rule): pd.concat(
            train_and_expand(branch=branch, rule=rule, depth=depth, **SMALL) for depth in (4, 16)
        )
        for branch in BRANCHES
        for rule in ("k1", "k2")
    }


def test_a_row_a_seed_and_moment(frames):
    frame = frames["gated", "k2"]
    assert frame[frame.depth == 4][["step", "seed"]].to_numpy().tolist() == [
        [1, 0],
        [1, 1],
        [3, 0],
        [3, 1],
    ]
    assert (frame[list(ORDERS.values())] > 0).all(axis=None)
    assert (frames["two in a row", "k2"].third_sum == 0).all()


def expected(rule: str, order: int) -> Order:
    """A term of an order over the first-order ones, by the solver: ‖ΔW‖^(order − 1)."""
    hidden = solved_layers(1 if rule == "k1" else 2)["hidden"]
    return Order(depth=hidden.update_norm.depth * (order - 1))


@pytest.mark.parametrize(
    ("branch", "order"),
    [(b, order) for b, (_, maps) in BRANCHES.items() for order in (2, 3) if order <= maps],
)
def test_higher_orders_fade_under_the_rule_for_one_map_alone(frames, branch, order):
    assert expected("k1", 2) == Order(depth="-1/2") and expected("k2", order) == ONE
    for rule in ("k1", "k2"):
        rows = frames[branch, rule].query("step == 3").groupby("depth").mean(numeric_only=True)
        shares = rows[ORDERS[order]] / rows["first"]
        power = math.log(shares[16] / shares[4], 4)
        assert power == pytest.approx(float(expected(rule, order).depth), abs=0.2), rule


def test_three_maps_ask_for_the_rule_of_two():
    assert solve_condition(3).start_size == solve_condition(2).start_size == Order(depth=-1)
    assert solved_layers(3)["hidden"] == solved_layers(2)["hidden"]
