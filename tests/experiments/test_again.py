"""A slice of stored results made again agrees, and only with what is stored."""

from importlib import import_module

import pytest

from experiments.__main__ import names
from experiments.again import OF_SWEEPS, made_again, slice_of
from specmup.analysis.agreement import Disagreement, agrees_with
from specmup.analysis.rounding import Rounding
from specmup.runs.results import Results, load


@pytest.fixture(scope="module")
def stored():
    return load("one-map-depth")


@pytest.fixture(scope="module")
def live(stored):
    return slice_of(stored).frame


def test_the_slice_agrees_and_a_changed_result_does_not(stored, live):
    assert agrees_with(live, stored).singly >= len(live) - 2
    rows = Rounding.of(stored).rows(stored.frame)
    for some, by in ((rows.index[rows.rule == "k2"], 1.05), (rows.index[:1], 1.5)):
        changed = stored.frame.copy()
        changed.loc[some, "loss"] *= by
        with pytest.raises(Disagreement, match=r"\d+ of 3\d differ"):
            agrees_with(live, Results(changed, stored.manifest))


def test_from_other_random_numbers_it_would_not_agree(stored):
    other = Results(stored.frame, {**stored.manifest, "streams": "separate"})
    with pytest.raises(Disagreement):
        made_again(other)


def test_of_a_sweep_some_runs_are_made_again():
    results = load("gpt-small")
    (agreement,) = made_again(results, "width == 32 and log2_lr == -8")
    assert (agreement.singly, agreement.left_out) == (1, 0)


@pytest.mark.parametrize("name", names())
def test_every_experiment_says_how_its_rows_are_told_apart(name):
    experiment = import_module(f"experiments.{name}").EXPERIMENT
    stored = load(name.replace("_", "-"))
    on = list(experiment.keys)
    assert set(on) | set(experiment.compared) <= set(stored.frame.columns)
    rounding = Rounding.of(stored)
    assert list(rounding.on) == on
    assert set(rounding.spread) == set(experiment.compared)
    assert not rounding.rows(stored.frame).duplicated(on).any()


def test_slices_of_sweeps_are_stored_and_measured():
    for name, query in OF_SWEEPS.items():
        results = load(name)
        rows = results.frame.query(query)
        assert len(Rounding.of(results).rows(rows)) == len(rows) > 0
