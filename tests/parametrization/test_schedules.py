"""A schedule reaches every group of a plan by one factor, and what does not is found out."""

import inspect
from functools import cache

import pytest
import torch
from planned_training import gpt, planned, started, train
from torch.optim import lr_scheduler, swa_utils

RATE = 0.01  # what the plans' base was tuned at


@cache
def plan_for(optimizer):
    """A plan is data, so one serves all models of its size."""
    return planned(gpt(), optimizer)


def under_plan(optimizer):
    plan = plan_for(optimizer)
    model = plan.set_constants(gpt())
    return model, plan, plan.optimizer(model)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def shares(optimizer, share):
    """A list for options that set rates: one for each group, a share of its own."""
    return [rate * share for rate in rates(optimizer)]


# Schedulers that set rates instead of multiplying them take a list, one a group.
SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 3]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, total_iters=2),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=4),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, total_iters=9),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 9),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(
        o, patience=0, min_lr=shares(o, 0.01)
    ),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(
        o, shares(o, 0.1), rates(o), step_size_up=2, cycle_momentum=False
    ),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(
        o, rates(o), total_steps=9, cycle_momentum=False
    ),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o,
        [lr_scheduler.LinearLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)],
        milestones=[2],
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, total_iters=2), lr_scheduler.ExponentialLR(o, 0.9)], o
    ),
    "SWALR": lambda o: swa_utils.SWALR(o, shares(o, 0.1), anneal_epochs=3),
}

# What transformers' get_scheduler takes; floors are of the base's own rate.
FLOOR = RATE / 10
HUGGING_FACE = {
    "linear": {},
    "cosine": {},
    "cosine_with_restarts": {"num_cycles": 2},
    "polynomial": {"lr_end": FLOOR, "power": 2.0},
    "constant": {},
    "constant_with_warmup": {},
    "inverse_sqrt": {},
    "reduce_lr_on_plateau": {"patience": 0},
    "cosine_with_min_lr": {"min_lr": FLOOR},
    "cosine_warmup_with_min_lr": {"min_lr": FLOOR, "warmup_lr_rate": 0.3},
    "warmup_stable_decay": {"num_decay_steps": 2, "min_lr_ratio": 0.1},
    "greedy": {"patience": 0},  # its bounds are rates
}


def hugging_face(name):
    def make(optimizer):
        transformers = pytest.importorskip("transformers")
        options = dict(HUGGING_FACE[name])
        if name == "greedy":
            options |= {"min_lr": shares(optimizer, 0.5), "max_lr": shares(optimizer, 2)}
        return transformers.get_scheduler(name, optimizer, 2, 6, options)

    return make


ALL = SCHEDULERS | {f"transformers' {name}": hugging_face(name) for name in HUGGING_FACE}


def advance(scheduler):
    """One step; those that watch a loss see one that does not improve."""
    watches = "metrics" in inspect.signature(scheduler.step).parameters
    scheduler.step(*((1.0,) if watches else ()))


def test_no_scheduler_is_forgotten():
    known = {
        name
        for name, kind in inspect.getmembers(lr_scheduler, inspect.isclass)
        if issubclass(kind, lr_scheduler.LRScheduler) and not name.startswith(("_", "LRS"))
    }
    assert known == set(SCHEDULERS) - {"SWALR"}
    transformers = pytest.importorskip("transformers")
    assert {kind.value for kind in transformers.SchedulerType} == set(HUGGING_FACE)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_every_rate_follows_the_schedule_of_one_plain_optimizer(name, optimizer):
    """Its factor is that by which the same schedule changes a single group at the base's rate."""
    model, plan, trainer = under_plan(optimizer)
    plain = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=RATE)
    schedulers = [ALL[name](trainer), ALL[name](plain)]
    train(model, trainer, 1)
    seen = []
    for _ in range(6):
        plain.step()
        for scheduler in schedulers:
            advance(scheduler)
        factor = plain.param_groups[0]["lr"] / RATE
        names = {id(p): own for own, p in model.named_parameters()}
        for group in trainer.param_groups:
            for own in (names[id(p)] for p in group["params"]):
                due = factor * plan[own].learning_rate
                assert group["lr"] == pytest.approx(due, rel=1e-9, abs=1e-15)
        assert plan.schedule_factor(model, trainer) == pytest.approx(factor, abs=1e-12)
        seen.append(factor)
    assert (len(set(seen)) > 1) == (name != "transformers' constant")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lion", "muon-kimi", "shampoo"])
def test_defaults_hold_the_bases_numbers(optimizer):
    """Schedules read there what every group's rate is relative to."""
    model = plan_for(optimizer).set_constants(gpt())
    trainer = planned(gpt(), optimizer, weight_decay=0.25).optimizer(model)
    assert trainer.defaults["lr"] == pytest.approx(RATE)
    assert trainer.defaults["weight_decay"] == pytest.approx(0.25)
    own = planned(gpt(), optimizer, learning_rate={"hidden": 0.03, "*": RATE}).optimizer(model)
    assert own.defaults["lr"] == pytest.approx(0.03)


def one_rate(optimizer):
    for group in optimizer.param_groups:
        group["lr"] = RATE


def last_group_forgotten(optimizer):
    for group in optimizer.param_groups[:-1]:
        group["lr"] /= 2


def library_of_optimizers(optimizer):
    from pytorch_optimizer.lr_scheduler import CosineScheduler

    return CosineScheduler(optimizer, t_max=9, max_lr=RATE, warmup_steps=2)


# Each writes one number into groups of different rates.
UNDOING = {
    "by hand": one_rate,
    "a group forgotten": last_group_forgotten,
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, RATE, total_steps=9, cycle_momentum=False),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, RATE / 10, RATE, 2, cycle_momentum=False),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 9, eta_min=FLOOR),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
        o, 9, eta_min=FLOOR
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, min_lr=FLOOR),
    "SWALR": lambda o: swa_utils.SWALR(o, FLOOR, anneal_epochs=3),
    "pytorch_optimizer": library_of_optimizers,
}


@pytest.mark.parametrize("name", UNDOING)
@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_a_schedule_that_undoes_the_plan_is_found_out(name, optimizer):
    model, plan, trainer = under_plan(optimizer)
    scheduler = UNDOING[name](trainer)
    for _ in range(5):
        trainer.step()
        if scheduler is not None:
            advance(scheduler)
    with pytest.raises(ValueError, match=r"not one factor.* at .* instead of"):
        plan.schedule_factor(model, trainer)


def test_an_optimizer_of_other_parameters_is_found_out():
    model, plan, trainer = under_plan("adamw")
    assert plan.schedule_factor(model, trainer) == 1
    with pytest.raises(ValueError, match=r"does not hold tokens\.weight"):
        plan.schedule_factor(gpt(), trainer)
    model.tokens.weight.requires_grad_(False)
    rest = plan.optimizer(model)  # without what is frozen
    assert plan.schedule_factor(model, rest) == 1
    model.tokens.weight.requires_grad_(True)
    with pytest.raises(ValueError, match=r"does not hold tokens\.weight: make it"):
        plan.schedule_factor(model, rest)


def test_a_plan_without_rates_has_no_factor():
    model, trainer = started()
    with pytest.raises(ValueError, match="factors only"):
        planned(model, learning_rate=None).schedule_factor(model, trainer)


def test_rates_may_be_tensors_or_zero():
    model, plan, trainer = under_plan("adamw")
    for group in trainer.param_groups:
        group["lr"] = torch.tensor(group["lr"] / 4)
    assert plan.schedule_factor(model, trainer) == pytest.approx(0.25)
    for group in trainer.param_groups:
        group["lr"] = 0.0
    assert plan.schedule_factor(model, trainer) == 0
