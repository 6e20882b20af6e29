"""Sweep files: what they say, and what makes two runs the same run."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from specmup.sweeps.configuration import Sweep, read_sweep, sweep_from
from specmup.sweeps.growth import requested_runs

BOOK = Path(__file__).parents[2] / "book"
FILES = sorted((BOOK / "sweeps").glob("*.toml"))
RESULTS = BOOK / "results"


def test_a_grid_is_every_combination_and_shared_sizes_are_run_once(sweeps):
    sweep = sweeps.make(depths=[1, 2], seeds=[0, 1], weight_decay=[0.0, 0.1])
    runs = requested_runs(sweep, {})
    sizes = {(run.width, run.depth) for run in runs}
    assert sizes == {(8, 1), (16, 1), (8, 2)}
    assert len(runs) == 2 * 3 * 3 * 2 * 2
    assert len({run.identity for run in runs}) == len(runs)


def test_a_stored_sweep_is_the_one_of_its_file():
    stored = json.loads((RESULTS / "gpt-small.json").read_text())["configuration"]
    again = sweep_from({f.name: stored[f.name] for f in fields(Sweep)})
    (file,) = (path for path in FILES if path.stem == "small")
    assert [run.identity for run in requested_runs(again, {})] == [
        run.identity for run in requested_runs(read_sweep(file), {})
    ]


def test_the_identity_is_of_the_whole_configuration(sweeps):
    run, *_ = requested_runs(sweeps.make(), {})
    again, *_ = requested_runs(sweeps.make(), {})
    assert run.identity == again.identity
    changes = [{"seed": 5}, {"log2_lr": 1.0}, {"width": 24}, {"weight_decay": 1.0}]
    changes += [{"rule": "k1"}, {"training": {**run.training, "clip": 0.5}}]
    changes += [{"options": {"betas": [0.9, 0.99]}}, {"base": {**run.base, "std": 0.2}}]
    assert len({run.identity} | {replace(run, **c).identity for c in changes}) == 9


def test_tables_of_a_grid_override_those_of_the_sweep(sweeps):
    told = dict(sweeps.configuration)
    other = {"model": {"normalisation": "none"}, "training": {"steps": 9}}
    told["grid"] = [told["grid"][0], {**told["grid"][0], **other}]
    runs = requested_runs(sweep_from(told), {})
    assert [run.shape.normalisation for run in runs] == ["layernorm"] * 12 + ["none"] * 12
    assert {(run.recipe.steps, run.recipe.batch_size) for run in runs[12:]} == {(9, 4)}


def test_a_floor_in_units_of_the_learning_rate(sweeps):
    by_rate = {run.log2_lr: run for run in requested_runs(sweeps.make({"floor_rate": 2.0**-7}), {})}
    assert by_rate[-4.0].recipe.floor == pytest.approx(2.0**-3)
    assert by_rate[-8.0].recipe.floor == 1.0  # lower than its floor: constant


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_sweeps_of_the_book_can_be_planned(path):
    from specmup.sweeps.work import plan_of

    sweep = read_sweep(path)
    runs = requested_runs(sweep, {})
    for choice in {(run.rule, run.optimizer): run for run in runs}.values():
        # The base's own size, where all rules are the same.
        plan = plan_of(replace(choice, width=sweep.base["width"], depth=sweep.base["depth"]))
        rates = {entry.learning_rate for entry in plan.values()}
        rate = 2.0**choice.log2_lr
        assert rates <= {rate, rate * choice.options.get("companion_rate", 1)}
