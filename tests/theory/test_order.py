"""Orders: exact algebra, and agreement with numbers at large sizes."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specmup.theory.order import (
    ACTIVE,
    DEPTH,
    EXPERTS,
    ONE,
    WIDTH,
    IncomparableOrders,
    Number,
    Order,
    Ray,
    dominant,
    maximum,
    minimum,
)
from specmup.theory.powers import COUNTS

exponents = st.fractions(min_value=-3, max_value=3, max_denominator=6)
counted = st.dictionaries(st.sampled_from(list(COUNTS)), exponents, max_size=2)
orders = st.builds(Order, exponents, exponents) | st.builds(
    lambda width, depth, counts: Order(width, depth, **counts), exponents, exponents, counted
)
rays = st.builds(Ray, st.fractions(0, 3), st.fractions(Fraction(1, 4), 3))


@given(orders, orders, orders)
def test_orders_form_a_commutative_group_under_product(a, b, c):
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert a * ONE == a
    assert a / a == ONE
    assert a / b == a * b**-1


@given(orders, st.fractions(-2, 2, max_denominator=4), st.fractions(-2, 2, max_denominator=4))
def test_powers_are_exact(a, p, q):
    assert (a**p) ** q == a ** (p * q)
    assert a**p * a**q == a ** (p + q)


@given(orders, orders, st.floats(0.5, 1e3), st.floats(0.5, 1e3), st.floats(0.5, 1e2))
def test_evaluating_a_product_multiplies_the_values(a, b, n, L, count):
    sizes = {"n": n, "L": L, **dict.fromkeys(COUNTS, count)}
    assert (a * b).evaluate(**sizes) == pytest.approx(a.evaluate(**sizes) * b.evaluate(**sizes))


@given(orders, orders, rays)
def test_along_a_ray_the_sum_is_of_the_order_of_its_larger_term(a, b, ray):
    total, log_t = dominant(a, b, ray=ray), 400.0

    def log_size(order):  # log(order)/log(t) with n = t^width and L = t^depth; counts stay
        return float(order.width * ray.width + order.depth * ray.depth)

    ratio = sum(2.0 ** (log_t * (log_size(o) - log_size(total))) for o in (a, b))
    assert 1 <= ratio <= 2


@given(st.lists(orders, min_size=1, max_size=4))
def test_joint_limit_sum_dominates_every_term_or_is_refused(terms):
    try:
        total = dominant(*terms)
    except IncomparableOrders as refusal:
        assert all(any(not b <= a for b in terms) for a in terms)
        assert "ray" in str(refusal)
    else:
        assert total in terms
        assert all(term <= total for term in terms)


def test_width_and_depth_are_incomparable_until_a_ray_is_stated():
    with pytest.raises(IncomparableOrders, match=r"n, L.*ray=Ray"):
        maximum(WIDTH, DEPTH)
    assert dominant(WIDTH, DEPTH, ray=Ray(1, 2)) == DEPTH
    assert dominant(WIDTH, DEPTH, ray=Ray(2, 1)) == WIDTH


@pytest.mark.parametrize("sizes", [(ONE, WIDTH), (Number(1.0), Number(8.0))])
def test_the_larger_and_the_smaller_of_two_sizes(sizes):
    small, large = sizes
    for a, b in (sizes, sizes[::-1]):
        assert maximum(a, b) == large
        assert minimum(a, b) == small


def test_text_and_latex():
    size = Order("-1/2", -1)
    assert str(size) == "n^-1/2·L^-1"
    assert size.text("r_n", "r_L") == "r_n^-1/2·r_L^-1"
    assert size.latex() == "n^{-1/2} L^{-1}"
    assert size._repr_latex_() == "$n^{-1/2} L^{-1}$"
    assert (str(ONE), ONE.latex(), str(WIDTH)) == ("1", "1", "n")
    assert size.exponents() == {"n": "-1/2", "L": "-1"}


@pytest.mark.parametrize("exponent", [0.5, float("nan"), None])
@pytest.mark.parametrize("size", ["width", "depth", *COUNTS])
def test_inexact_exponents_are_refused(exponent, size):
    with pytest.raises(TypeError, match="not exact"):
        Order(**{size: exponent})


def test_an_order_without_counts_knows_none():
    assert Order(1, experts=0) == WIDTH == EXPERTS * WIDTH / EXPERTS
    assert WIDTH.exponents() == {"n": "1", "L": "0"}
    assert (Order(1, group=2) * ACTIVE**-1).counts == (("active", -1), ("group", 2))


def test_counts_are_written_by_their_letters():
    size = Order(-1, active="-1/2", experts=1)
    assert str(size) == "n^-1·E·K^-1/2" and size.latex() == "n^{-1} E K^{-1/2}"
    assert size.text("r_n", "r_L", experts="r_E") == "r_n^-1·r_E·K^-1/2"
    assert size.exponents() == {"n": "-1", "L": "0", "E": "1", "K": "-1/2"}


def test_counts_grow_independently_until_a_ray_names_them():
    assert ONE <= EXPERTS and not EXPERTS <= WIDTH and not WIDTH <= EXPERTS
    with pytest.raises(IncomparableOrders, match=r"n, E dominates when n, L and E grow"):
        maximum(WIDTH, EXPERTS)
    assert dominant(WIDTH, EXPERTS, ray=Ray(1, 1)) == WIDTH
    assert dominant(WIDTH, EXPERTS, ray=Ray(1, 0, experts=2)) == EXPERTS


def test_a_count_that_is_not_given_or_not_known_is_refused():
    assert (WIDTH * EXPERTS).evaluate(2, 1, experts=8) == 16
    with pytest.raises(ValueError, match=r"experts: say how many, experts=…"):
        (WIDTH * EXPERTS).evaluate(2, 1)
    with pytest.raises(ValueError, match=r"positive, got n=2, L=1, experts=0"):
        EXPERTS.evaluate(2, 1, experts=0)
    with pytest.raises(ValueError, match=r"unknown size 'tokens'.*experts"):
        Order(tokens=1)


def test_sizes_and_rays_that_cannot_grow_are_refused():
    with pytest.raises(ValueError, match="positive"):
        WIDTH.evaluate(0, 1)
    with pytest.raises(ValueError, match="does not grow"):
        Ray(0, 0)
    with pytest.raises(ValueError, match="does not grow"):
        Ray(-1, 1)
    with pytest.raises(ValueError, match=r"experts=-1\) does not grow"):
        Ray(1, 1, experts=-1)
    with pytest.raises(ValueError, match="empty sum"):
        dominant()
