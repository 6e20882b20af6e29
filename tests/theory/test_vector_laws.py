"""Optimizers that treat a matrix as a list of numbers: their cells, and the algebra behind them."""

from itertools import product

import pytest
import sympy as sp
import torch

from specmup.norms import rms_operator_norm, stable_rank
from specmup.theory.order import ONE, Order, maximum
from specmup.theory.rules import rules, solved_layers
from specmup.theory.update import lamb, update_law


def o(width=0, depth=0):
    return Order(width, depth)


ROLES = ("input", "hidden", "output", "hidden_bias")
# zheng2026, Tables 6 (k ≥ 2) and 12 (k = 1): Lion and Sophia share AdamW's rates and decays.
PUBLISHED = {
    ("learning_rate", 2): [o(), o(-1), o(), o()],
    ("weight_decay", 2): [o(), o(1), o(), o()],
    ("learning_rate", 1): [o(), o(-1, "-1/2"), o(), o(0, "-1/2")],
    ("weight_decay", 1): [o(), o(1), o(), o()],
}
# Not in zheng2026. ADOPT: from the sizes of chapter 11, A = sign(G). LAMB: A = std·sign(G), and
# sign(G)/√(n_in·n_out) once ‖W‖_F is clamped.
ADOPT_EPSILON = {
    2: [o(-1), o(-1, -1), o(-1), o(-1, -1)],
    1: [o(-1), o(-1, "-1/2"), o(-1), o(-1, "-1/2")],
}
LAMB = {
    ("lamb", "learning_rate", 2): [o(), o("-1/2"), o(), o()],
    ("lamb", "weight_decay", 2): [o(), o("1/2"), o(), o()],
    ("lamb", "learning_rate", 1): [o(), o("-1/2", "-1/2"), o(), o(0, "-1/2")],
    ("lamb", "weight_decay", 1): [o(), o("1/2"), o(), o()],
    ("lamb-clamped", "learning_rate", 2): [o("1/2"), o(), o("1/2"), o("1/2")],
    ("lamb-clamped", "weight_decay", 2): [o("-1/2"), o(), o("-1/2"), o("-1/2")],
    ("lamb-clamped", "learning_rate", 1): [o("1/2"), o(0, "-1/2"), o("1/2"), o("1/2", "-1/2")],
    ("lamb-clamped", "weight_decay", 1): [o("-1/2"), o(), o("-1/2"), o("-1/2")],
}


def column(optimizer, entry, k):
    table = rules(optimizer, k)
    return [getattr(table[role], entry) for role in ROLES]


@pytest.mark.parametrize("optimizer", ["lion", "sophia", "adopt"])
@pytest.mark.parametrize(("entry", "k"), list(PUBLISHED))
def test_sign_like_optimizers_share_the_published_cells(optimizer, entry, k):
    assert column(optimizer, entry, k) == PUBLISHED[entry, k]


@pytest.mark.parametrize("k", [1, 2])
def test_only_the_stabiliser_tells_the_sign_like_optimizers_apart(k):
    assert column("adopt", "epsilon", k) == column("adamw", "epsilon", k) == ADOPT_EPSILON[k]
    assert column("lion", "epsilon", k) == [None] * len(ROLES)
    # Sophia's stands beside a curvature, which is of the size of a squared entry of the gradient.
    assert column("sophia", "epsilon", k) == [epsilon**2 for epsilon in ADOPT_EPSILON[k]]


@pytest.mark.parametrize(("optimizer", "entry", "k"), list(LAMB))
def test_lamb_with_and_without_the_clamp(optimizer, entry, k):
    assert column(optimizer, entry, k) == LAMB[optimizer, entry, k]


@pytest.mark.parametrize("k", [1, 2])
def test_the_clamp_changes_a_rule_by_the_order_of_the_weight_it_hides(k):
    for role, solved in solved_layers(k).items():
        free, clamped = solved.rule(lamb()), solved.rule(lamb(clamped=True))
        hidden_size = solved.layer.weight_frobenius
        assert clamped.learning_rate / free.learning_rate == hidden_size, role
        assert free.weight_decay / clamped.weight_decay == hidden_size, role


@pytest.mark.parametrize("k", [1, 2])
def test_step_is_its_entry_times_fan_in(k):
    """‖A‖_R = entry·n_in/√(stable rank), with a stable rank of Θ(1)."""
    for name, solved in product(
        ("sgd", "adamw", "lion", "sophia", "adopt"), solved_layers(k).values()
    ):
        layer = solved.layer
        entry = layer.sensitivity / layer.fan_out if name == "sgd" else ONE
        step = update_law(name).step(layer)
        assert step.entry == entry
        assert step.rms_operator == entry * layer.fan_in
    for solved in solved_layers(k).values():
        layer = solved.layer
        assert lamb().step(layer).entry == layer.init_std
        assert lamb(clamped=True).step(layer).entry == (layer.fan_in * layer.fan_out) ** "-1/2"


@pytest.mark.parametrize("shape", [(40, 90), (64, 64), (90, 40)])
def test_norm_from_entry_and_stable_rank(shape):
    A = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    entry = A.square().mean().sqrt()
    by_entry = entry * shape[1] / stable_rank(A, tol=1e-6).sqrt()
    torch.testing.assert_close(rms_operator_norm(A, tol=1e-6), by_entry, rtol=1e-5, atol=0)
    wrong = entry * shape[0] / stable_rank(A, tol=1e-6).sqrt()
    assert shape[0] == shape[1] or abs(wrong / by_entry - 1) > 0.1


def adam(gradients, b1, b2):
    """A of Adam after the last of the gradients, as published, ε = 0."""
    m = v = 0
    for g in gradients:
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    t = len(gradients)
    return m / (1 - b1**t) / sp.sqrt(v / (1 - b2**t))


def adopt(gradients, b1, b2):
    """A of ADOPT after the last of the gradients, as published, without clipping, ε = 0."""
    m, v = 0, gradients[0] ** 2
    for g in gradients[1:]:
        m, v = b1 * m + (1 - b1) * g / sp.sqrt(v), b2 * v + (1 - b2) * g**2
    return m


b1, b2, g = sp.symbols("beta1 beta2 g", positive=True)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_adam_takes_the_sign_of_a_constant_gradient_whatever_the_betas(steps):
    assert sp.simplify(adam([g] * steps, b1, b2)) == 1
    assert sp.simplify(adam([-g] * steps, b1, b2)) == -1


def test_adopt_first_moves_nothing_then_by_the_gradient_over_the_previous_one():
    previous, now = sp.symbols("g0 g1", nonzero=True, real=True)
    assert adopt([previous], b1, b2) == 0
    second = adopt([previous, now], b1, b2)
    assert sp.simplify(second - (1 - b1) * now / sp.Abs(previous)) == 0


@pytest.mark.parametrize("steps", [2, 3, 6])
def test_adopt_has_no_bias_correction(steps):
    assert sp.simplify(adopt([g] * steps, b1, b2) - (1 - b1 ** (steps - 1))) == 0


def test_coupled_decay_changes_the_gauge_identity_of_signs_and_not_that_of_sgd():
    """W = cW' with η ÷ c^p: coupled decay asks for λ·c² under signs, decoupled decay for λ·c."""
    w, decay, c = sp.Integer(3), sp.Integer(2), sp.Rational(1, 5)
    grad = sp.Integer(-8)  # opposes the decay and is larger

    def same_move(direction, of_rate, of_decay):
        """Whether W moves alike when W' is trained, with c^of_rate and c^of_decay in place."""
        through = c * direction(c * grad, w / c, decay * c**of_decay) / c**of_rate
        return through == direction(grad, w, decay)

    def sgd(g, w, decay):  # coupled or not
        return g + decay * w

    def signs(g, w, decay):
        return sp.sign(g) + decay * w

    def coupled_signs(g, w, decay):
        return sp.sign(g + decay * w)

    assert same_move(sgd, 2, 2)
    assert same_move(signs, 1, 1)
    assert same_move(coupled_signs, 1, 2)
    assert not same_move(coupled_signs, 1, 1)
    assert not same_move(sgd, 2, 1)


def test_no_history_exceeds_the_bound_on_adams_entries_and_one_attains_it():
    """m² ≤ Σ w²/u · v by Cauchy and Schwarz; the series is geometric."""
    betas = sp.Rational(9, 10), sp.Rational(99, 100)
    first, second = betas
    bound = (1 - first) / sp.sqrt((1 - second) * (1 - first**2 / second))
    worst = [(first / second) ** i for i in reversed(range(400))]
    assert adam(worst, *map(float, betas)).evalf() == pytest.approx(float(bound), rel=1e-2)
    draw = torch.Generator().manual_seed(0)
    for history in torch.randn(50, 60, generator=draw, dtype=torch.float64).tolist():
        assert abs(adam(history, *map(float, betas))) < bound


def test_hutchinson_noise_is_the_rest_of_the_row():
    """ĥ = u·(Hu) has mean H_ii and variance Σ_{j≠i} H_ij², over all sign vectors u."""
    n = 4
    H = sp.Matrix(n, n, lambda i, j: sp.Symbol(f"H{min(i, j)}{max(i, j)}"))
    draws = [u[0] * (H * sp.Matrix(u))[0] for u in product((-1, 1), repeat=n)]
    mean = sp.expand(sum(draws) / len(draws))
    variance = sp.expand(sum(d**2 for d in draws) / len(draws) - mean**2)
    assert mean == H[0, 0]
    assert sp.expand(variance - sum(H[0, j] ** 2 for j in range(1, n))) == 0


def test_a_hidden_sign_cannot_hold_the_decay_that_its_rule_wants():
    layer = solved_layers(2)["hidden"].layer
    wanted = rules("adamw", 2)["hidden"].weight_decay
    most = layer.init_std**-1  # ‖W‖₁/‖W‖_F² of a Gaussian matrix
    assert most == o("1/2") and wanted == o(1)
    assert wanted * layer.init_std / layer.gradient.entry == o("3/2", 1)


def test_lamb_with_its_decay_inside_the_trust_ratio_needs_no_rule_for_its_rate():
    solved = solved_layers(2)["hidden"]
    signs, layer = solved.layer.gradient.sign(), solved.layer
    decay = signs.rms_operator / layer.weight_norm
    trust = layer.weight_frobenius / maximum(signs.frobenius, decay * layer.weight_frobenius)
    assert decay == o(1)
    assert solved.update_norm / (trust * signs.rms_operator) == ONE
    outside = layer.weight_frobenius / signs.frobenius
    assert solved.update_norm / (outside * signs.rms_operator) == o("-1/2")
