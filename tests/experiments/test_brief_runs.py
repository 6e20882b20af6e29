"""Experiments on brief runs: that these are the sweep's own, and what each changes."""

from pathlib import Path

import pandas as pd
import pytest

from experiments import brief_gpt, end_rates, longer_training, warm_up
from experiments.brief_gpt import BASE_WIDTH, run_of
from experiments.end_rates import PARTS, rates
from specmup.sweeps.configuration import read_sweep
from specmup.sweeps.growth import requested_runs
from specmup.sweeps.work import execute, plan_of

SWEEP = Path(__file__).parents[2] / "book" / "sweeps" / "optimizers.toml"


def test_a_run_is_the_one_that_the_sweep_makes():
    runs = requested_runs(read_sweep(SWEEP), {})
    one = next(run for run in runs if run.optimizer == "muon" and run.depth > 2)
    told = {"width": one.width, "depth": one.depth, "seed": one.seed}
    assert run_of(one.rule, one.optimizer, one.log2_lr, **told).identity == one.identity


def test_training_may_differ_and_its_warm_up_follows():
    run = run_of("k2", "adamw", -8, steps=30, batch_size=2, validation_windows=2)
    assert (run.recipe.steps, run.recipe.warm_up, run.recipe.batch_size) == (30, 3, 2)
    _, history = brief_gpt.trained(run)
    assert history.loss == execute(run)["loss"]
    _, other = brief_gpt.trained(run, learning_rate=2.0**-10)
    assert other.loss != history.loss


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_changes_the_rates_that_it_names_and_no_others(part, optimizer):
    ends = PARTS[part]
    for r_n in (1, 4):
        run = run_of(ends.rule, optimizer, -6, width=r_n * BASE_WIDTH)
        plain, changed = plan_of(run), plan_of(run, learning_rate=rates(run, ends))
        for name, entry in plain.items():
            power, times = ends.powers.get(entry.role, 0), ends.times.get(entry.role, 1)
            expected = entry.learning_rate * r_n**power * times
            assert changed[name].learning_rate == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("module", "point", "job"),
    [
        (
            end_rates,
            end_rates.train_part,
            {"part": "k2, slow embedding", "optimizer": "adamw", "width": 32, "log2_lr": -8},
        ),
        (
            longer_training,
            longer_training.train_longer,
            {"optimizer": "adamw", "width": 32, "steps": 4, "batch_size": 2, "log2_lr": -8},
        ),
        (warm_up, warm_up.train_warm_up, {"steps": 4, "warm_up": 2, "log2_lr": -8}),
    ],
)
def test_a_run_makes_one_row(monkeypatch, module, point, job):
    def brief(*words, **sizes):
        short = {"steps": 4, "batch_size": 2, "validation_windows": 2}
        return run_of(*words, **{**sizes, **short})

    monkeypatch.setattr(module, "run_of", brief)
    job |= {"seed": 0}
    frame: pd.DataFrame = point(**job)
    assert frame[list(job)].to_dict("records") == [job] and 0 < frame.loss.item() < 10
    assert set(module.EXPERIMENT.keys) == set(job)
