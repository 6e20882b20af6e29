"""The calculator of the rules page in a browser, against the solver."""

from itertools import product

import pytest

from specmup.parametrization.factors import Factors
from specmup.theory.order import IncomparableOrders
from specmup.theory.rules import COMPANION, solved_layers
from specmup.theory.tables import ROLES
from specmup.theory.update import LAWS

PAGE = "book/rules.html"
SIZES = [(64, 2, 1024, 32), (256, 4, 192, 48), (100, 3, 100, 3)]
BASE = {"lr": 2.0**-7, "std": 0.05, "decay": 0.3, "eps": 1e-6}


@pytest.fixture(scope="module")
def page(browser, site):
    opened = browser.new_page()
    opened.goto(site + PAGE)
    opened.wait_for_selector(".calculator table")
    yield opened
    opened.close()


def calculated(page, **told):
    told = {name: str(value) for name, value in told.items()}
    return page.evaluate("told => document.getElementById('calculator').calculate(told)", told)


def solved(optimizer, k, width, depth):
    """By role the factors of the solver, in the forward gauge."""
    for role, layer in solved_layers(k).items():
        law = LAWS[optimizer]
        if law.matrices_only and role != "hidden":
            law = COMPANION
        try:
            yield role, Factors.of(layer.rule(law), width, depth)
        except IncomparableOrders:
            yield role, None


@pytest.mark.parametrize("optimizer", LAWS)
def test_numbers_are_the_solvers(page, optimizer):
    for k, (n0, l0, n, depth) in product((1, 2), SIZES):
        sizes = {"base_width": n0, "base_depth": l0, "width": n, "depth": depth}
        rows = calculated(page, optimizer=optimizer, k=k, gauge="forward", **sizes, **BASE)
        assert [row["role"] for row in rows] == list(ROLES)
        expected = dict(solved(optimizer, k, n / n0, depth / l0))
        for row in rows:
            factors = expected[row["role"]]
            if factors is None:
                assert row["none"]
                continue
            assert row["learning_rate"] == pytest.approx(BASE["lr"] * factors.learning_rate)
            assert row["multiplier"] == pytest.approx(factors.multiplier)
            if row["role"] in ("input", "hidden", "output"):
                assert row["std"] == pytest.approx(BASE["std"] * factors.init_std)
                assert row["weight_decay"] == pytest.approx(BASE["decay"] * factors.weight_decay)
            if factors.epsilon is None:
                assert row["epsilon"] is None
            else:
                assert row["epsilon"] == pytest.approx(BASE["eps"] * factors.epsilon)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon-kimi"])
def test_folded_numbers_are_the_solvers(page, optimizer):
    ratio = 4.0
    sizes = {"base_width": 64, "base_depth": 4, "width": 256, "depth": 16}
    rows = calculated(page, optimizer=optimizer, k=2, gauge="folded", **sizes, **BASE)
    by_label = {row["label"]: row for row in rows}
    law, hidden = LAWS[optimizer], solved_layers(2)["hidden"]
    last = Factors.of(hidden.folded().rule(law), ratio, ratio)
    inner = Factors.of(hidden.rule(law), ratio, ratio)
    found = by_label["last maps of branches"]
    assert found["learning_rate"] == pytest.approx(BASE["lr"] * last.learning_rate)
    assert found["std"] == pytest.approx(BASE["std"] * last.init_std)
    found = by_label["hidden matrices"]
    assert found["learning_rate"] == pytest.approx(BASE["lr"] * inner.learning_rate)
    assert {row["multiplier"] for row in rows} == {1.0}


def test_what_is_typed_is_shown_and_kept_in_the_address(page, site):
    page.goto(site + PAGE)
    page.fill("input[name=width]", "4096")
    page.select_option("select[name=optimizer]", "muon-kimi")
    assert "width=4096" in page.url and "optimizer=muon-kimi" in page.url
    address = page.url
    text = page.inner_text(".calculator-output")
    assert "specmup plan --model" in text and "make_plan" in text
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".calculator table")
    assert page.input_value("input[name=width]") == "4096"
    assert page.inner_text(".calculator-output") == text


@pytest.mark.parametrize(
    ("field", "typed", "answer"),
    [
        ("width", "", "give a number, such as 1024"),
        ("width", "12.5", "whole number of at least 1"),
        ("depth", "0", "whole number of at least 1"),
        ("lr", "-9", "is that a logarithm? Write 2^-9 for 0.00195"),
        ("lr", "0", "nothing would learn"),
        ("std", "0", "nothing would start"),
        ("decay", "-0.1", "cannot be negative"),
        ("base_width", "big", "base width n is “big”"),
        ("width", "1e99", "too large"),
    ],
)
def test_nonsense_is_answered(page, field, typed, answer):
    before = page.input_value(f"input[name={field}]")  # the page is heavy: it is loaded once
    page.fill(f"input[name={field}]", typed)
    assert answer in page.inner_text(".calculator-wrong")
    assert page.query_selector(".calculator table") is None
    page.fill(f"input[name={field}]", before)
    assert page.query_selector(".calculator table") is not None


def test_an_optimizer_without_epsilon_is_given_none(page):
    page.select_option("select[name=optimizer]", "adamw")
    assert "epsilon=1e-8" in page.inner_text(".calculator-output")
    page.select_option("select[name=optimizer]", "sgd")
    text = page.inner_text(".calculator-output")
    assert "epsilon" not in text and '"sgd"' in text


@pytest.mark.parametrize("typed", ["2^-9", "2**-9", "0.001953125", "1.953125e-3"])
def test_rates_are_read_as_people_write_them(page, typed):
    rows = calculated(page, lr=typed, width=256, depth=4)
    assert {row["learning_rate"] for row in rows} == {2.0**-9}


def test_a_keyboard_reaches_every_field_and_what_it_types_counts(page):
    names = page.evaluate(
        "() => [...document.querySelectorAll('.calculator [name]')].map(one => one.name)"
    )
    page.focus(f".calculator [name={names[0]}]")
    reached = []
    for _ in names:
        reached.append(page.evaluate("() => document.activeElement.name"))
        page.keyboard.press("Tab")
    assert reached == names
    before = page.input_value("input[name=width]")
    page.focus("input[name=width]")
    page.keyboard.press("Control+A")
    page.keyboard.type("4100")
    assert "=4100" in page.inner_text(".calculator-output")
    page.keyboard.press("Control+A")
    page.keyboard.type(before)
