"""Cells of the atlas: predictions from the solver, and verdicts that can go both ways."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from experiments.reading.cells import cells, predicted, side_by_side
from specmup.theory.order import ONE, Order

ROLES = ("input", "hidden", "output", "input_bias", "hidden_bias")


def frame_of(role, block_depth, *, width=0.0, depth=0.0, noise=0.01, seed=0):
    """Sizes that scale with given exponents, in the form of the experiment's rows."""
    generator = np.random.default_rng(seed)
    sizes = [(n, 4) for n in (64, 128, 256, 512)] + [(64, L) for L in (8, 16, 32, 64)]
    rows = [
        {
            "optimizer": "adamw",
            "block_depth": block_depth,
            "role": role,
            "width": n,
            "depth": L,
            "seed": s,
            "update_late": n**width * L**depth * np.exp(noise * generator.normal()),
            "change_late": np.exp(noise * generator.normal()),
        }
        for (n, L), s in product(sizes, range(3))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("block_depth", [1, 2, 3])
def test_every_role_is_to_change_the_features_by_a_constant(block_depth):
    for role in ROLES:
        assert predicted(role, block_depth, "change") == ONE


def test_update_norms_are_those_of_the_condition():
    assert predicted("hidden", 1, "update") == Order(depth="-1/2")
    assert predicted("hidden_bias", 1, "update") == Order(depth="-1/2")
    assert predicted("hidden", 2, "update") == ONE
    assert predicted("output", 2, "update") == Order(width=1)
    assert predicted("input_bias", 2, "update") == ONE


def test_an_unknown_quantity_is_refused():
    with pytest.raises(ValueError, match="unknown quantity 'loss'"):
        predicted("hidden", 2, "loss")


def test_verdicts_go_both_ways():
    right = side_by_side(cells(frame_of("hidden", 1, depth=-0.5)))
    assert (right.verdict == "agrees").all() and len(right) == 4
    wrong = side_by_side(cells(frame_of("hidden", 2, depth=-0.5)))
    answers = wrong.set_index(["quantity", "axis"]).verdict
    assert answers["update", "depth"] == "disagrees"
    assert answers["update", "width"] == "agrees"
    noisy = side_by_side(cells(frame_of("hidden", 2, noise=1.0)))
    assert (noisy.verdict == "cannot tell").any()


def test_an_axis_is_fitted_where_it_varies_most():
    frame = frame_of("hidden", 2, depth=1.0)
    narrow = frame[frame.depth == 4].assign(width=32)  # a width below the depths' own
    found = side_by_side(cells(pd.concat([frame, narrow]), quantities=["update"], axes=["depth"]))
    assert found.estimate.tolist() == pytest.approx([1.0], abs=0.02)


def test_cells_come_in_the_order_of_the_theory():
    frame = pd.concat(
        frame_of(role, 2).assign(optimizer=name)
        for name, role in product(("soap", "sgd"), ("output", "input"))
    )
    found = side_by_side(cells(frame, quantities=["change"], axes=["width"]))
    assert found.optimizer.tolist() == ["sgd", "sgd", "soap", "soap"]
    assert found.role.tolist() == ["input", "output"] * 2


def test_an_exponent_and_its_prediction_stand_side_by_side():
    found = side_by_side(cells(frame_of("output", 2, width=1.0, depth=0.0), quantities=["update"]))
    assert found.set_index("axis").estimate["width"] == pytest.approx(1.0, abs=0.02)
    assert found.set_index("axis").predicted.tolist() == [1.0, 0.0]
