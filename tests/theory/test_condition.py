"""The solved conditions, for every block depth up to six, against what zheng2026 proves."""

from fractions import Fraction

import pytest

from specmup.theory.condition import (
    ALPHA,
    ResidualCondition,
    end_system,
    norm,
    solve_condition,
)
from specmup.theory.equations import Equation, InconsistentEquations
from specmup.theory.order import DEPTH, ONE, Order
from specmup.theory.terms import product

KS = range(1, 7)


@pytest.mark.parametrize("k", KS)
def test_one_equation_for_every_non_empty_subset(k):
    assert len(solve_condition(k).system.equations) == 2**k - 1


def test_one_map_leaves_the_start_free_up_to_its_bound():
    condition = solve_condition(1)
    assert condition.start is None
    assert condition.start_size == Order(depth="-1/2")
    assert condition.free_sizes == 1
    assert "stays free" in str(condition.proof())
    assert "O(L^{-1/2})" in condition.proof()._repr_markdown_()


@pytest.mark.parametrize("k", KS[1:])
def test_two_maps_and_more_force_the_start(k):
    condition = solve_condition(k)
    assert condition.start_size == DEPTH**-1
    assert condition.free_sizes == 0
    # first-order · first-order / second-order, as in the proof of zheng2026, Condition 3.1
    assert [(e.name, p) for e, p in condition.start.powers] == [
        ("[W1]", 1),
        ("[W2]", 1),
        ("[W1,W2]", -1),
    ]


@pytest.mark.parametrize("k", KS[1:])
def test_each_update_is_as_large_as_its_weight(k):
    system = solve_condition(k).system
    for i in range(1, k + 1):
        assert system.size(norm(f"ΔW{i}") / norm(f"W{i}")) == ONE


@pytest.mark.parametrize("k", KS)
def test_the_gauge_is_one_rescaling_a_map(k):
    assert len(solve_condition(k).gauge) == k


@pytest.mark.parametrize("k", KS[2:])
def test_more_than_two_maps_add_nothing(k):
    condition = solve_condition(k)
    assert len(condition.system.independent) == k + 1
    # Every equation of order above two follows from those of orders one and two.
    orders = [e.name.count(",") + 1 for e in condition.system.independent]
    assert max(orders) == 2
    low = ResidualCondition(k, highest_order=2).system
    for equation in condition.system.equations:
        assert low.derive(equation.term).size == equation.size


@pytest.mark.parametrize("k", KS[1:])
def test_first_order_and_start_give_every_higher_order(k):
    """E_S · start^(|S|−1) = ∏ of first-order terms over S, the general-k argument."""
    condition = solve_condition(k)
    path = condition.paths[0]
    first = [e for e in condition.system.equations if "," not in e.name]
    start = Equation("start", path.start, DEPTH**-1)
    for equation in condition.system.equations:
        moved = [e for e in first if e.name[1:-1] in equation.name[1:-1].split(",")]
        lhs = equation.term * start.term ** (len(moved) - 1)
        assert lhs.power == product(e.term for e in moved).power


@pytest.mark.parametrize("k", KS)
def test_biases_of_size_one_solve_their_equations(k):
    """Condition B.3: with α·∏‖W‖ in the usual gauge, ‖b‖ = Θ(1), and ‖Δb‖ = Θ(1) for k ≥ 2."""
    condition = solve_condition(k, bias=True)
    maps = [f"W{i}" for i in range(1, k + 1)]
    fixed = [Equation(m, norm(m), ONE) for m in (*maps, *(f"b{i}" for i in range(1, k + 1)))]
    start = Equation("start", condition.paths[0].start, condition.start_size)
    system = condition.system.adding([start, *fixed])  # raises if contradictory
    expected = ONE if k >= 2 else Order(depth="-1/2")
    assert {system.size(norm(f"Δb{i}")) for i in range(1, k + 1)} == {expected}
    # Only the last bias, a path of one map, may start smaller.
    assert condition.free_sizes == (1 if k >= 2 else 2)


@pytest.mark.parametrize("k", KS)
def test_a_trainable_gain_is_one_more_map(k):
    """Whatever is solved for k maps behind a gain is what is solved for k + 1 maps."""
    behind, longer = solve_condition(k, gain=True), solve_condition(k + 1)
    assert behind.start_size == longer.start_size == DEPTH**-1
    assert (behind.free_sizes, len(behind.gauge)) == (0, k + 1)
    for name in ("g", *(f"W{i}" for i in range(1, k + 1))):
        assert behind.system.size(norm(f"Δ{name}") / norm(name)) == ONE
    assert len(behind.system.independent) == len(longer.system.independent)


def test_the_rule_for_one_map_is_refused_behind_a_trainable_gain():
    fixed = [Equation(m, norm(m), ONE) for m in ("g", "W1")]
    wrong = Equation("Depth-μP", ALPHA, Order(depth="-1/2"))
    with pytest.raises(InconsistentEquations, match="Depth-μP"):
        solve_condition(1, gain=True).system.adding([*fixed, wrong])


def test_a_multiplier_of_one_over_root_depth_is_refused_for_two_maps():
    fixed = [Equation(m, norm(m), ONE) for m in ("W1", "W2")]
    wrong = Equation("Depth-μP", ALPHA, Order(depth="-1/2"))
    with pytest.raises(InconsistentEquations, match="Depth-μP"):
        solve_condition(2).system.adding([*fixed, wrong])
    assert solve_condition(1).system.adding([fixed[0], wrong]).size(norm("ΔW1")) == Order(
        depth="-1/2"
    )


def test_the_ends_move_by_their_own_size():
    system = end_system("W")
    assert system.size(norm("ΔW") / norm("W")) == ONE


@pytest.mark.parametrize("k", [0, -1, 1.0, True, "2", 13])
def test_impossible_block_depths_are_refused(k):
    with pytest.raises(ValueError, match="block depth is"):
        solve_condition(k)


def test_the_proof_is_readable():
    assert str(solve_condition(2).proof()).splitlines() == [
        "[W1]: α·‖ΔW1‖·‖W2‖ = L^-1",
        "[W2]: α·‖W1‖·‖ΔW2‖ = L^-1",
        "[W1,W2]: α·‖ΔW1‖·‖ΔW2‖ = L^-1",
        "[W1] · [W2] / [W1,W2]  ⟹  α·‖W1‖·‖W2‖ = L^-1",
        "All 3 equations are independent.",
    ]
    assert "3 of the 7 equations follow" in solve_condition(3).proof()._repr_markdown_()
    assert solve_condition(2).start.powers[2][1] == Fraction(-1)


@pytest.mark.parametrize("p", ["1/2", "3/4", "1"])
def test_how_second_order_terms_add_up_decides_the_start(p):
    condition = solve_condition(2, addition=(1, p))
    assert condition.start_size == DEPTH ** (Fraction(p) - 2)
    # The maps still move in proportion: by L^(1-p) times what they are.
    for i in (1, 2):
        moved = condition.system.size(norm(f"ΔW{i}") / norm(f"W{i}"))
        assert moved == DEPTH ** (1 - Fraction(p))


def test_a_third_order_that_adds_up_otherwise_contradicts_the_second():
    assert solve_condition(3, addition=(1, "3/4", "1/2")).start_size == DEPTH ** Fraction(-5, 4)
    with pytest.raises(InconsistentEquations, match=r"\[W1,W2,W3\].*contradicts"):
        _ = solve_condition(3, addition=(1, "3/4")).start_size


@pytest.mark.parametrize("p", ["1/3", 2, -1])
def test_terms_add_up_between_independent_and_aligned(p):
    with pytest.raises(ValueError, match=f"order 2 add up like L\\^{p}"):
        solve_condition(2, addition=(1, p))
