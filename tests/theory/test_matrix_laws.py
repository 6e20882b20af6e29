"""Laws of optimizers that know matrices: published cells, parameters, limits, real matrices."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specmup.analysis.fit import fit_exponents
from specmup.auditing.laws import SPECTRAL_MUON
from specmup.norms import rms_operator_norm
from specmup.theory.layer import Layer
from specmup.theory.order import ONE, WIDTH, Number, Order
from specmup.theory.rules import ROLES, rules, solved_layers
from specmup.theory.update import adamw, sgd, shampoo, soap, update_law

HALF = Fraction(1, 2)
W = ("input", "hidden", "output")


def o(width=0, depth=0):
    return Order(width, depth)


# zheng2026, Tables 4 and 7 (k ≥ 2), 10 and 13 (k = 1): factors for input, hidden, output.
ORTHOGONAL_RATE, ORTHOGONAL_DECAY = [o(HALF), o(), o(HALF)], [o(-HALF), o(), o(-HALF)]
TWO_MAPS = {
    **{(name, "learning_rate"): ORTHOGONAL_RATE for name in ("muon", "shampoo", "soap")},
    **{(name, "weight_decay"): ORTHOGONAL_DECAY for name in ("muon", "shampoo", "soap")},
    ("shampoo", "epsilon"): [o(-1), o(0, -2), o(-1)],
    ("sso", "learning_rate"): [o(), o(), o(1)],
    ("sso", "weight_decay"): [o(), o(), o(-1)],
}
# At k = 1 only the hidden column changes.
ONE_MAP_HIDDEN = {
    "learning_rate": o(0, -HALF),
    "weight_decay": o(),
    "epsilon": o(0, -1),
}


@pytest.mark.parametrize(("name", "entry"), TWO_MAPS)
def test_published_tables(name, entry):
    cells = TWO_MAPS[name, entry]
    assert [getattr(rules(name, 2)[role], entry) for role in W] == cells
    cells = [cells[0], ONE_MAP_HIDDEN[entry], cells[2]]
    assert [getattr(rules(name, 1)[role], entry) for role in W] == cells


def test_muon_with_its_first_factor_needs_a_rule_only_where_columns_outnumber_rows():
    """√max(1, n_out/n_in) is the rule for tall matrices; for flat ones the rate still grows."""
    rates = [rules("muon-original", 2)[role].learning_rate for role in W]
    assert rates == [ONE, ONE, o(HALF)]


exponents = st.fractions(0, 1, max_denominator=4)
powers = st.integers(0, 6).map(lambda power: 2.0**power)


@given(exponents, exponents, powers, powers, powers, st.integers(0, 3))
def test_shampoo_with_any_exponents_and_blocks(left, right, rows, columns, depth, cut):
    """η ∝ L^(1-2E)·(n_out/n_in)^(1-E)·N^-E with E = e_L + e_R (qiu2025, as in its code)."""
    side = 8.0
    n_out, n_in = side * rows, side * columns
    layer = solved_layers(2)["hidden"].at(fan_out=n_out, fan_in=n_in, width=1, depth=depth)
    block = None if cut == 0 else Number(side * 2 ** (cut - 1))
    rule = layer.rule(shampoo(left, right, block=block))
    pieces = [1 if block is None else max(1, n / block.value) for n in (n_out, n_in)]
    number, e = pieces[0] * pieces[1], float(left + right)
    expected = depth ** (1 - 2 * e) * (n_out / n_in) ** (1 - e) * number**-e
    assert rule.learning_rate.value == pytest.approx(expected)
    # ε stands beside the squared norm of a block of the gradient.
    assert rule.epsilon.value == pytest.approx(n_in / n_out / depth**2 / number)


@given(st.booleans(), st.booleans(), powers, powers, powers, st.integers(0, 3))
def test_soap_on_any_sides_and_blocks(left, right, rows, columns, depth, cut):
    """η ∝ n_out^(e_L/2)·n_in^(e_R/2)/n_in with e = 1 for a rotated side, else 0 (qiu2025)."""
    side = 8.0
    n_out, n_in = side * rows, side * columns
    layer = solved_layers(2)["hidden"].at(fan_out=n_out, fan_in=n_in, width=1, depth=depth)
    block = None if cut == 0 else Number(side * 2 ** (cut - 1))
    rate = layer.rule(soap(left=left, right=right, block=block)).learning_rate.value
    of_rows, of_columns = (1 if block is None else max(1, n / block.value) for n in (n_out, n_in))
    expected = n_out ** (left / 2) * n_in ** (right / 2) / n_in
    # Only the sides that are rotated are cut to any effect.
    expected /= of_rows ** (left / 2) * of_columns ** (right / 2)
    assert rate == pytest.approx(expected)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("block_depth", [1, 2])
def test_limits(role, block_depth):
    layer = solved_layers(block_depth)[role]
    rates = {
        name: layer.rule(law).learning_rate
        for name, law in {
            "sgd": sgd(),
            "sign": adamw(),
            "muon": update_law("muon"),
            "no exponent": shampoo(0, 0),
            "no exponent, blocked": shampoo(0, 0, block=ONE),
            "entries as blocks": shampoo(block=ONE),
            "the whole as one block": shampoo(block=WIDTH),
            "all on one side": shampoo(HALF, 0),
            "SOAP, entries as blocks": soap(block=ONE),
            "SOAP, nothing rotated": soap(left=False, right=False),
            "SOAP, the whole as one block": soap(block=WIDTH),
        }.items()
    }
    assert rates["no exponent"] == rates["no exponent, blocked"] == rates["sgd"]
    assert rates["entries as blocks"] == rates["SOAP, entries as blocks"] == rates["sign"]
    assert rates["SOAP, nothing rotated"] == rates["sign"]
    assert rates["the whole as one block"] == rates["SOAP, the whole as one block"]
    assert rates["the whole as one block"] == rates["all on one side"] == rates["muon"]


def test_the_limit_without_exponents_tells_the_sign_of_the_depth_factor():
    """SGD under 1/L needs η ∝ L, so the factor is L^(1-2E) and not its inverse."""
    hidden = solved_layers(2)["hidden"]
    for e in (Fraction(0), Fraction(1, 8), Fraction(1, 4), HALF):
        assert hidden.rule(shampoo(e, e)).learning_rate == o(0, 1 - 4 * e)
    assert hidden.rule(sgd()).learning_rate == o(0, 1)


# Real matrices. -----------------------------------------------------------------------------


def power_of(gram, exponent):
    """gram^(-exponent) of positive semi-definite matrices (..., n, n), on their range only."""
    values, vectors = torch.linalg.eigh(gram)
    kept = values > 1e-10 * values[..., -1:]
    scaled = torch.where(kept, values.clamp(min=1e-300) ** -exponent, 0.0 if exponent else 1.0)
    return vectors * scaled.unsqueeze(-2) @ vectors.mT


def shampoo_step(G, left, right):
    return power_of(G @ G.mT, left) @ G @ power_of(G.mT @ G, right)


def soap_step(G, left, right):
    """Adam's first step, G'/|G'|, in the rotated basis; nothing where G' is rounding."""
    Q_left = torch.linalg.eigh(G @ G.mT)[1] if left else torch.eye(G.shape[-2]).to(G)
    Q_right = torch.linalg.eigh(G.mT @ G)[1] if right else torch.eye(G.shape[-1]).to(G)
    rotated = Q_left.mT @ G @ Q_right
    largest = rotated.abs().amax(dim=(-2, -1), keepdim=True)
    rotated = torch.where(rotated.abs() > 1e-7 * largest, rotated.sign(), 0.0)
    return Q_left @ rotated @ Q_right.mT


def in_blocks(step, G, side):
    """The step taken of each block, ``side`` × ``side`` where the matrix allows, all at once."""
    if side is None:
        return step(G)
    rows, columns = (min(side, n) for n in G.shape)
    blocks = G.unflatten(1, (-1, columns)).unflatten(0, (-1, rows)).transpose(1, 2)
    return step(blocks).transpose(1, 2).flatten(2, 3).flatten(0, 1)


def test_blocks_are_those_that_lie_in_the_matrix():
    G = torch.arange(24.0).view(4, 6)
    doubled = in_blocks(lambda blocks: blocks * blocks.amax(dim=(-2, -1), keepdim=True), G, 2)
    expected = [[G[i : i + 2, j : j + 2] for j in (0, 2, 4)] for i in (0, 2)]
    expected = [torch.cat([b * b.max() for b in band], 1) for band in expected]
    assert torch.equal(doubled, torch.cat(expected))


def random_vector(n, generator):
    """Entries of either sign with sizes from 1 to 2: no entry is far smaller than the others."""
    sizes = 1 + torch.rand(n, generator=generator, dtype=torch.float64)
    return sizes * torch.randint(2, (n,), generator=generator).mul(2).sub(1)


SHAPES = {
    "square": (lambda n: (n, n), (WIDTH, WIDTH)),
    "tall": (lambda n: (n, 8), (WIDTH, ONE)),
    "flat": (lambda n: (8, n), (ONE, WIDTH)),
}
SIDES = {
    "whole": (lambda n: None, None),
    "in four": (lambda n: n // 2, WIDTH),
    "small": (lambda n: 4, ONE),
    "entries": (lambda n: 1, ONE),
}
QUARTER = Fraction(1, 4)
STEPS = {
    "shampoo": (lambda G: shampoo_step(G, 0.25, 0.25), shampoo),
    "shampoo, one side": (lambda G: shampoo_step(G, 0.5, 0), lambda **b: shampoo(HALF, 0, **b)),
    "shampoo, halves": (lambda G: shampoo_step(G, 0.5, 0.5), lambda **b: shampoo(HALF, HALF, **b)),
    "shampoo, left": (lambda G: shampoo_step(G, 0.25, 0), lambda **b: shampoo(QUARTER, 0, **b)),
    "soap": (lambda G: soap_step(G, True, True), soap),
    "soap, left": (lambda G: soap_step(G, True, False), lambda **b: soap(right=False, **b)),
    "soap, right": (lambda G: soap_step(G, False, True), lambda **b: soap(left=False, **b)),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STEPS)
def test_blocked_steps_on_rank_one_matrices(name, shape, side):
    """‖A‖_R of real steps grows with the width as the law says."""
    step, law = STEPS[name]
    fans, orders = SHAPES[shape]
    cut, block = SIDES[side]
    widths, sizes = (16, 32, 64, 128), []
    for n in widths:
        n_out, n_in = fans(n)
        generator = torch.Generator().manual_seed(n)
        G = torch.outer(random_vector(n_out, generator), random_vector(n_in, generator))
        G *= (n_in / n_out) ** 0.5 / G.norm()  # sensitivity 1
        sizes.append(float(rms_operator_norm(in_blocks(step, G, cut(n)), tol=1e-6)))
    fit = fit_exponents(sizes, widths)
    predicted = law(block=block).step(Layer(*orders, ONE, ONE)).rms_operator
    assert fit.verdict(predicted, tolerance=0.1).agrees, f"{fit} {predicted} {sizes}"
    assert fit.verdict(predicted * WIDTH**QUARTER, tolerance=0.1).disagrees


def test_shampoo_and_soap_orthogonalise():
    """Shampoo's fourth roots give UVᵀ at any rank; SOAP's first step only at rank one."""
    generator = torch.Generator().manual_seed(0)
    G = torch.randn(12, 8, generator=generator, dtype=torch.float64)
    U, _, V = torch.linalg.svd(G, full_matrices=False)
    assert torch.allclose(shampoo_step(G, 0.25, 0.25), U @ V)
    assert not torch.allclose(soap_step(G, True, False), U @ V, atol=0.1)
    rank_one = torch.outer(G[:, 0], G[0])
    expected = rank_one / rank_one.norm()
    assert torch.allclose(soap_step(rank_one, True, True), expected)
    assert not torch.allclose(soap_step(rank_one, True, False), expected, atol=0.1)


def sums_and_step(gradients):
    """Shampoo's step on the last of the gradients, with the statistics summed over all."""
    left = sum(G @ G.T for G in gradients)
    right = sum(G.T @ G for G in gradients)
    return power_of(left, 0.25) @ gradients[-1] @ power_of(right, 0.25)


def test_sums_shrink_a_repeated_gradient_like_the_root_of_time_and_bound_any():
    generator = torch.Generator().manual_seed(0)
    G = torch.randn(16, 16, generator=generator, dtype=torch.float64)
    for steps in (4, 25):
        norm = torch.linalg.matrix_norm(sums_and_step([G] * steps), 2)
        assert float(norm) == pytest.approx(steps**-0.5)
    fresh = [torch.randn(16, 2, generator=generator, dtype=torch.float64) for _ in range(12)]
    gradients = [F @ torch.randn(2, 16, generator=generator, dtype=torch.float64) for F in fresh]
    for t in range(1, 13):
        assert torch.linalg.matrix_norm(sums_and_step(gradients[:t]), 2) <= 1 + 1e-9


@pytest.mark.parametrize("rank", [1, 8])
def test_muons_norm_does_not_depend_on_the_width(rank):
    """The library's Newton–Schulz in bfloat16 leaves the norm in its band at every width."""
    norms = []
    for n in (32, 64, 128, 256):
        generator = torch.Generator().manual_seed(n)
        weight = torch.nn.Parameter(torch.zeros(n, n))
        muon = torch.optim.Muon([weight], lr=1.0, weight_decay=0.0, momentum=0.0, nesterov=False)
        weight.grad = torch.randn(n, rank, generator=generator) @ torch.randn(
            rank, n, generator=generator
        )
        muon.step()
        norms.append(float(torch.linalg.matrix_norm(weight.detach(), 2)))
    assert all(0.65 < norm < 1.25 for norm in norms)
    assert fit_exponents(norms, [32, 64, 128, 256]).verdict(ONE, tolerance=0.1).agrees


@pytest.mark.parametrize("quantity", ["learning_rate", "weight_decay", "init_variance"])
def test_muon_speaks_for_its_kin_with_the_spectral_factor_where_all_fans_grow_alike(quantity):
    """As the message says that refuses a plan by that name."""
    with pytest.raises(ValueError, match="where all fans of a matrix grow alike muon has its fact"):
        update_law("muon-spectral")

    def factor(law, fan_out):
        hidden, sizes = solved_layers(2)["hidden"], ((fan_out, 32, 32, 8), (8, 16, 16, 2))
        now, before = (
            hidden.at(fan_out=o, fan_in=i, width=w, depth=d).rule(law) for o, i, w, d in sizes
        )
        return (getattr(now, quantity) / getattr(before, quantity)).value

    muon, kin = update_law("muon"), SPECTRAL_MUON
    assert factor(kin, 16) == pytest.approx(factor(muon, 16))
    apart = factor(kin, 64) / factor(muon, 64)
    assert (apart == pytest.approx(1)) == (quantity == "init_variance")
