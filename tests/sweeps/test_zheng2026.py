"""The sweep for a GPU asks for the runs whose losses are published, and for no others."""

from pathlib import Path

import pandas as pd
import pytest

from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.work import plan_of

BOOK = Path(__file__).resolve().parents[2] / "book"
# What the published tables and the sweep call the same.
OPTIMIZERS = {
    "muon-kimi-adamw": "muon-kimi",
    "muon-adamw": "muon",
    "shampoo-adamw": "shampoo",
    "sophia": "sophia",
}
NORMALISATIONS = {"ln": "layernorm", "no-ln": "none"}


@pytest.fixture(scope="module")
def sweep():
    return read_sweep(BOOK / "sweeps" / "zheng2026.toml")


@pytest.fixture(scope="module")
def runs(sweep):
    return requested_runs(sweep, {})


@pytest.fixture(scope="module")
def published():
    return pd.read_csv(BOOK / "data" / "zheng2026-published-sweeps.csv")


def test_the_runs_are_those_that_are_published(sweep, runs, published):
    asked = {
        (
            *(run.optimizer, run.rule, run.width, run.depth, run.shape.normalisation),
            *(run.log2_lr, run.weight_decay),
        )
        for run in runs
    }
    base, points = sweep.base, set()
    for row in published.itertuples():
        size = {**base, row.axis: row.size}
        learning_rate = row.hyperparameter == "lr"
        numbers = (row.log2_base_value, 0.0) if learning_rate else (-7, 2.0**row.log2_base_value)
        normalisation = NORMALISATIONS[row.normalization]
        of_run = OPTIMIZERS[row.optimizer], row.parameterization, size["width"], size["depth"]
        points.add((*of_run, normalisation, *numbers))
    assert len(published) == 912 > len(points) > 850  # the base is in the tables of both axes
    assert points == asked
    assert len(asked) == len(runs)  # nothing is run twice


def test_decay_is_swept_at_the_rate_that_was_best_at_the_base(sweep, runs, published):
    at_base = published.query(
        "optimizer == 'muon-kimi-adamw' and hyperparameter == 'lr' and normalization == 'ln'"
    )
    for axis in ("width", "depth"):
        own = at_base.query("axis == @axis and parameterization == 'k2'")
        own = own[own["size"] == sweep.base[axis]]
        assert {own.loc[own.val_loss.idxmin(), "log2_base_value"]} == {
            run.log2_lr for run in runs if run.weight_decay
        }


def test_settings_are_the_papers(sweep, runs):
    for run in runs:
        recipe = run.recipe
        assert (recipe.steps, recipe.batch_size, recipe.warm_up, recipe.clip) == (1221, 240, 120, 1)
        assert run.tokens == pytest.approx(3e8, rel=1e-3)
        assert recipe.floor * 2.0**run.log2_lr == pytest.approx(min(3e-5, 2.0**run.log2_lr))
        shape = run.shape
        assert (shape.vocabulary, shape.context, shape.head_dimension) == (50257, 1024, 64)
    assert (sweep.base["width"], sweep.base["depth"], sweep.base["std"]) == (256, 4, 0.02)


@pytest.mark.parametrize("optimizer", sorted(set(OPTIMIZERS.values())))
def test_rates_beside_the_matrices_are_the_papers(runs, optimizer):
    factor = {"muon": 0.1, "shampoo": 2.0}.get(optimizer, 1.0)
    run = next(r for r in runs if (r.optimizer, r.rule, r.depth) == (optimizer, "k2", 8))
    plan = plan_of(run)  # one size deeper than the base, where only branches change
    for name, entry in plan.items():
        rate = 2.0**run.log2_lr if entry.role == "hidden" else factor * 2.0**run.log2_lr
        assert entry.learning_rate == pytest.approx(rate), name
        if entry.role == "input":
            assert entry.epsilon == (1e-12 if optimizer == "sophia" else 1e-16)
