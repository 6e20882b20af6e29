"""Two models without code of their own: what a run of the table is."""

from dataclasses import replace
from math import inf, prod

import pytest
import torch

from experiments.instruments.brought import MODELS, loss_of
from experiments.your_model import BASE, EXPERIMENT, LARGE, plan_of, tune_rate
from specmup.parametrization.plan import make_plan
from specmup.training.recipe import Recipe

SIZES = {"base_width": 16, "base_depth": 1, "width": 32, "depth": 2}
NUMBERS = {"start": 1.0, "embedding": 1.0, "readout": 1.0}


@pytest.fixture(params=list(MODELS))
def brief(request, monkeypatch):
    model = request.param
    monkeypatch.setitem(MODELS, model, replace(MODELS[model], recipe=Recipe(4, 4, warm_up=1)))
    return lambda **more: tune_rate(
        model=model, **{**SIZES, **NUMBERS, "log2_lrs": [-8], "seed": 0, **more}
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_large_model_as_it_is_has_one_rate_and_its_own_start(model):
    plan, own = plan_of(model, LARGE, LARGE, learning_rate=0.01), MODELS[model].made(*LARGE)
    assert {e.learning_rate for e in plan.entries} == {0.01}
    for name, parameter in own.named_parameters():
        if parameter.ndim == 2:
            assert plan[name].init_std == pytest.approx(parameter.std().item(), rel=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_the_numbers_of_the_base_are_carried_by_the_rule(model):
    of = MODELS[model]
    rates = {"input": 0.04, "output": 0.02, "*": 0.01}
    plain = make_plan(of.made(*LARGE), base=of.made(*BASE), learning_rate=0.01, **of.declared)
    plan = plan_of(model, BASE, LARGE, start=4.0, learning_rate=rates)
    for name, entry in plan.items():
        times = {"input": 4, "output": 2}.get(entry.role, 1)
        assert entry.learning_rate == pytest.approx(times * plain[name].learning_rate)
        larger = 4 if len(entry.shape) == 2 else 1
        assert entry.init_std == pytest.approx(larger * plain[name].init_std, rel=1e-6)
    roles = {name: entry.role for name, entry in plan.items() if len(entry.shape) == 2}
    ends = {role: [n for n in roles if roles[n] == role] for role in ("input", "output")}
    first, *_, last = [n for n, p in of.made(*BASE).named_parameters() if p.ndim == 2]
    assert ends == {"input": [first], "output": [last]}


def test_a_row_a_rate(brief):
    frame = brief(log2_lrs=[-8, -7])
    assert list(frame.log2_lr) == [-8, -7]
    assert set(EXPERIMENT.keys) | {"loss", "test_loss", "flops"} == set(frame.columns)
    assert frame[[*SIZES]].iloc[0].to_dict() == SIZES
    assert frame.loss.nunique() == 2 and (frame.loss != frame.test_loss).all()
    assert brief().loss.item() == frame.loss[0]


@pytest.mark.parametrize("number", NUMBERS)
def test_each_number_changes_the_run(brief, number):
    assert brief(**{number: 4.0}).loss.item() != brief().loss.item()


def test_a_divergence_is_infinite(brief):
    assert brief(log2_lrs=[60]).loss.item() == inf


def test_operations_are_those_of_the_matrices():
    of = MODELS["residual"]
    model, (batch, steps) = of.made(*LARGE), (of.recipe.batch_size, of.recipe.steps)
    matrices = sum(prod(p.shape) for p in model.parameters() if p.ndim == 2)
    # The pixels need no gradient.
    expected = (6 * matrices - 2 * model.enter.weight.numel()) * batch * steps
    assert of.flops(*LARGE) == expected


def test_the_samples_to_choose_by_are_not_those_to_report():
    for of in MODELS.values():
        (x, _), (other, _) = of.held_out().values()
        rows = {tuple(row.tolist()) for row in x}
        shared = rows & {tuple(row.tolist()) for row in other}  # by chance: pairs are drawn
        assert x.shape == other.shape and len(shared) < len(x) / 50


@pytest.mark.parametrize("model", MODELS)
def test_the_readers_loop_learns(model):
    of = MODELS[model]
    network = of.made(16, 1)
    before = of.losses(network)
    of.train(network, torch.optim.AdamW(network.parameters(), lr=2**-6), seed=0)
    after = of.losses(network)
    assert all(after[name] < before[name] - 0.1 for name in before)
    x, y = next(of.batches(0))
    assert loss_of(network, x, y).ndim == 0


@pytest.mark.parametrize("scale", ["quick", "reference"])
def test_every_job_is_another(scale):
    jobs = EXPERIMENT.jobs(scale)
    assert len({repr(job) for job in jobs}) == len(jobs)
