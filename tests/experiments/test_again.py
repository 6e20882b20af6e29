"""A slice of stored results made again agrees, and only with what is stored."""

from dataclasses import replace
from importlib import import_module

import pandas as pd
import pytest

from experiments import again, declared
from experiments.__main__ import names
from experiments.again import OF_SWEEPS, made_again, measured_rows, slice_of
from experiments.reading.agreement import Disagreement, agrees_with
from experiments.reading.rounding import Rounding
from experiments.verify import verified
from specmup.runs.experiment import ExperimentResult
from specmup.runs.results import Results, load, results_folder
from specmup.streams import VERSIONS


@pytest.fixture(scope="module")
def stored():
    return load("one-map-depth")


@pytest.fixture(scope="module")
def live(stored):
    return slice_of(stored).frame


def test_the_slice_agrees_and_a_changed_result_does_not(stored, live):
    assert agrees_with(live, stored).singly > 0.9 * len(live)
    rows = Rounding.of(stored).rows(stored.frame)
    for some, by in ((rows.index[rows.rule == "k2"], 1.05), (rows.index[:1], 1.5)):
        changed = stored.frame.copy()
        changed.loc[some, "loss"] *= by
        with pytest.raises(Disagreement, match=r"\d+ of 3\d differ"):
            agrees_with(live, Results(changed, stored.manifest))


def test_from_other_random_numbers_it_would_not_agree(stored):
    (streams,) = set(VERSIONS) - {stored.streams}
    other = Results(stored.frame, {**stored.manifest, "streams": streams})
    with pytest.raises(Disagreement):
        made_again(other)


def test_of_a_sweep_some_runs_are_made_again():
    results = load("gpt-small")
    (agreement,) = made_again(results, "width == 32 and log2_lr == -8")
    assert (agreement.singly, agreement.left_out) == (1, 0)


class AskedError(Exception):
    """Ends a test that has seen for which jobs it is asked."""


@pytest.fixture
def asked(monkeypatch):
    """The jobs of which a slice would be made, none of which is done."""
    jobs = []

    def passed_by(work, options, version, **others):
        jobs.extend(options)
        raise AskedError

    monkeypatch.setattr(declared, "run_experiment", passed_by)
    return jobs


def test_what_is_not_stored_or_not_measured_is_not_trained(stored, asked):
    few = Results(stored.frame.query("depth == 4"), stored.manifest)
    with pytest.raises(AskedError):
        slice_of(few)
    assert {job["depth"] for job in asked} == {4}
    assert {job["rule"] for job in asked} == {"sp", "k1", "k2"}
    asked.clear()
    measured = Rounding.of(stored)
    with pytest.raises(AskedError):
        slice_of(few, within=replace(measured, slice={**measured.slice, "rule": ["k1"]}))
    assert [(job["depth"], job["rule"]) for job in asked] == [(4, "k1")]


@pytest.fixture
def two_seeds(monkeypatch):
    """A result of two seeds at one point, of which the job makes the first alone by now."""
    runs = pd.DataFrame({"depth": 2, "seed": [0, 1], "loss": [1.0, 2.0]})
    axes = {"depth": [2], "seeds": declared.Constant([0, 1])}
    scales = {"quick": axes, "reference": axes}
    experiment = declared.Experiment(pd.DataFrame, 1, ("depth", "seed"), scales)
    monkeypatch.setattr(again, "experiment_of", lambda name: experiment)
    monkeypatch.setattr(declared, "run_experiment", lambda *_, **__: ExperimentResult(runs[:1], []))
    return Results(runs, {"name": "runs", "scale": "reference"})


@pytest.mark.parametrize("asked", [[0, 1], [1]])
def test_a_stored_row_that_its_job_makes_no_more_is_an_error(two_seeds, asked):
    """Not passed by: what is said to agree would be another row, or a part."""
    told = f"1 of {len(asked)} stored rows do not come .* the first depth 2, seed 1: "
    with pytest.raises(ValueError, match=told):
        verified(two_seeds, two_seeds.frame.loc[asked])
    with pytest.raises(ValueError, match=told):
        slice_of(Results(two_seeds.frame.loc[asked], two_seeds.manifest))
    assert len(verified(two_seeds, two_seeds.frame[:1])) == 1


@pytest.mark.parametrize("name", ["assumptions", "feature_diversity", "phase_diagram", "ridge"])
def test_what_is_stored_and_measured_is(name, asked):
    results = load(name.replace("_", "-"))
    experiment = import_module(f"experiments.{name}").EXPERIMENT
    with pytest.raises(AskedError):
        slice_of(results, within=Rounding.of(results))
    assert asked == experiment.jobs(experiment.slice)


@pytest.mark.parametrize(
    ("name", "rows", "other"),
    [
        ("your-model", 38, "model == 'llama' and (start == 1 or seed == 1)"),
        ("feature-diversity", 60, "activation == 'relu' and placement == 'post' and alpha == 1"),
        ("gpt-coordinates", 616, "rule == 'k1' and depth == 2"),
        ("gpt-small", 4, "seed != 0"),
    ],
)
def test_measured_are_the_rows_of_the_slice_and_not_all_between_its_values(name, rows, other):
    measured = measured_rows(load(name))
    assert len(measured) == rows
    assert measured.query(other).empty


@pytest.mark.parametrize("name", names())
def test_every_experiment_says_how_its_rows_are_told_apart(name):
    experiment = import_module(f"experiments.{name}").EXPERIMENT
    if not (results_folder() / f"{name.replace('_', '-')}.json").exists():
        pytest.skip("it has not been run at reference scale yet")
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
