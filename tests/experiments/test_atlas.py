"""Chapter 13's experiment: what it records, and that a wrong law is found out."""

import pandas as pd
import pytest

from experiments.atlas import base, train_and_measure
from experiments.reading.cells import exponents, predicted
from specmup.theory.order import DEPTH, WIDTH
from specmup.theory.rules import parametrization
from specmup.theory.update import LAWS


def measured(optimizer, block_depth, sizes, rules=None, seeds=(0, 1)):
    return pd.concat(
        train_and_measure(
            optimizer=optimizer,
            block_depth=block_depth,
            width=width,
            depth=depth,
            seeds=list(seeds),
            rules=rules,
        )
        for width, depth in sizes
    )


@pytest.fixture(scope="module")
def small():
    return measured("soap", 2, [(16, 2)])


def test_a_row_a_seed_and_role(small):
    assert len(small) == 2 * 5
    assert (small.filter(like="update_") > 0).all(axis=None)
    assert (small.filter(like="change_") > 0).all(axis=None)
    assert small.loss.lt(2.3).all()


def test_soap_moves_nothing_at_its_first_step_and_its_companion_does(small):
    first = small.groupby("role").first_step.first()
    assert first["hidden"] == 2
    assert first["output"] == 1


def test_only_hidden_maps_have_a_matrix_optimizers_rate():
    for name, law in LAWS.items():
        if name == "muon-original":  # on square maps it is Muon
            continue
        rates = {role: s.learning_rate for role, s in base(name, 2).settings.items()}
        same = len(set(rates.values())) == 1
        assert same or law.matrices_only


WIDTHS = [(16, 2), (32, 2), (64, 2)]
DEPTHS = [(16, 2), (16, 4), (16, 8)]


def verdict(optimizer, block_depth, sizes, axis, rules=None):
    frame = measured(optimizer, block_depth, sizes, rules, seeds=(0,))
    rows = frame[frame.role == "hidden"]
    # ‖ΔW‖_R of the hidden maps against what the condition asks for.
    fit = exponents(rows, "update_late", axis)
    return fit.verdict(predicted("hidden", block_depth, "update"))


def test_a_wrong_law_is_found_out_over_the_width():
    right = parametrization("k2", "muon-kimi")
    rate = right["hidden"].learning_rate
    wrong = right.changed("hidden", learning_rate=rate * WIDTH ** "1/2")
    assert verdict("muon-kimi", 2, WIDTHS, "width", right).agrees
    assert verdict("muon-kimi", 2, WIDTHS, "width", wrong).disagrees


def test_a_wrong_law_is_found_out_over_the_depth():
    right = parametrization("k1", "muon-kimi")
    rate = right["hidden"].learning_rate
    wrong = right.changed("hidden", learning_rate=rate * DEPTH ** "1/2")
    assert verdict("muon-kimi", 1, DEPTHS, "depth", right).agrees
    assert verdict("muon-kimi", 1, DEPTHS, "depth", wrong).disagrees
