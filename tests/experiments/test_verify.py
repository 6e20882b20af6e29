"""Any stored row can be made again, and others with every commit."""

from itertools import islice
from pathlib import Path

import pandas as pd
import pytest

from experiments import verify
from experiments.again import experiment_of, rows_made_again
from experiments.reading.verified import unheld
from experiments.verify import candidates, main, rotated, verified
from specmup.runs.results import Results, load

NAMES = sorted(path.stem for path in verify.results_folder().glob("*.json"))


@pytest.fixture(scope="module")
def stored() -> Results:
    return load("one-map-depth")


@pytest.fixture(scope="module")
def job(stored) -> pd.DataFrame:
    """The rows of one job that no slice makes again."""
    rows = stored.frame.query("optimizer == 'sgd' and depth == 16 and rule == 'k1'")
    return min((c.rows for c in candidates(stored, rows)), key=lambda rows: rows.log2_lr.min())


def test_a_job_agrees_and_a_changed_row_does_not(stored, job):
    made = rows_made_again(stored, job)
    assert len(made.frame) == len(job)
    assert not unheld(verified(stored, job))
    lowest = job.index[job.log2_lr == job.log2_lr.min()][:1]
    changed = stored.frame.copy()
    changed.loc[lowest, "loss"] *= 1.3
    found = verified(Results(changed, stored.manifest), job)
    assert [len(one.apart) for one in found] == [1]


@pytest.mark.parametrize("name", NAMES)
def test_every_stored_row_is_made_by_a_job(name):
    results = load(name)
    rows = pd.concat([candidate.rows for candidate in candidates(results, results.frame)])
    assert set(rows.index) == set(results.frame.index)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gpt-small"])
def test_columns_keys_and_scale_fit_the_experiment(name):
    results, experiment = load(name), experiment_of(name)
    assert results.scale in experiment.scales
    assert {*experiment.keys, *experiment.compared} <= set(results.frame.columns)
    assert not results.frame.duplicated(list(experiment.keys)).any()


@pytest.fixture
def made(monkeypatch):
    """The rows that would be made again; a clock that stands still."""
    rows = []
    monkeypatch.setattr(verify, "verified", lambda results, some: rows.append(some) or [])
    monkeypatch.setattr(verify.time, "monotonic", lambda: 0.0)
    return rows


class Folder:
    def __init__(self, names):
        self.names = names

    def glob(self, pattern: str) -> list[Path]:
        return [Path(f"{name}.json") for name in self.names]


def test_a_rotation_takes_cheap_jobs_by_turns(made, monkeypatch):
    few = {name: load(name) for name in ("ridge", "one-map-depth")}
    monkeypatch.setattr(verify, "load", lambda name: few.get(name, few["ridge"]))
    monkeypatch.setattr(verify, "results_folder", lambda: Folder(few))
    each = {
        name: {tuple(c.rows.index): c.seconds for c in candidates(r, r.frame)}
        for name, r in few.items()
    }
    seconds = {rows: taken for jobs in each.values() for rows, taken in jobs.items()}
    most = 1.2 * max(min(jobs.values()) for jobs in each.values())  # each has a cheap one
    assert most < max(seconds.values())
    orders = []
    for state in ("one", "two", "one"):
        made.clear()
        list(islice(rotated(3 * most, state), 12))
        orders.append([tuple(rows.index) for rows in made])
        assert all(seconds[rows] <= most for rows in orders[-1])
        assert {len(of) for of in map(set, (rows.columns for rows in made))} == {
            len(r.frame.columns) for r in few.values()
        }  # both results have their turn
    assert orders[0] == orders[2] != orders[1]


def test_what_is_asked_for_is_made(made, stored, capsys):
    with pytest.raises(SystemExit):  # nothing came of the rows, for none was made
        main(["one_map_depth", "--where", "depth == 16", "--rows", "3"])
    assert len(made[0]) >= 3
    assert set(made[0].depth) == {16}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a result, or give --rotate SECONDS"),
        (["ridge", "--rotate", "5"], "name a result, or give --rotate SECONDS"),
        (["nothing"], "results 'nothing' have no"),
        (["ridge", "--where", "depth == 3"], "no row of ridge answers 'depth == 3'"),
    ],
)
def test_what_cannot_be_verified_is_one_sentence(words, told, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err
