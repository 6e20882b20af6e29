"""Both gauges train to the same function, step by step, wherever the plan says that they do."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from specmup.models.gpt import GPT, GPTShape
from specmup.models.resnet import ResNet, ResNetShape
from specmup.parametrization.gauges import ROUNDING, gauge_change
from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES
from specmup.theory.update import LAWS, update_law

STEPS = 5
EXACT = sorted(name for name, law in LAWS.items() if gauge_change(law).inexact is None)
ENTRYWISE = sorted(name for name in EXACT if not update_law(name).matrices_only)
# Decay and ε as large as they can be without ruling the step; biases that start away from zero.
STARTS = {"*bias": 0.1, "norm_gain": 1.0, "*norm.weight": 1.0, "*": 0.3}
RATE = {"sgd": 0.1, "muon-kimi": 0.01, "sso": 0.05, "soap": 0.01}


def decay(value):
    return dict.fromkeys(ROLES, value)


def resnet(width, depth, block_depth, bias):
    shape = ResNetShape(5, width, depth, 3, block_depth=block_depth, bias=bias)
    return ResNet(shape, {"input": 1.0, "hidden": 0.7, "output": 1.3}).double()


def gpt(width, depth):
    shape = GPTShape(11, 6, width, depth, head_dimension=4, bias=True)
    return GPT(shape, {"hidden": 0.7, "output": 1.3}).double()


def twins(target, base, optimizer, *, options=None, **values):
    """A model in either gauge and its optimizer; the same function at the start, to rounding."""
    models, plans = {}, {}
    for gauge in ("forward", "folded"):
        models[gauge] = copy.deepcopy(target)
        given = {"learning_rate": RATE.get(optimizer, 0.003), "weight_decay": decay(0.1)} | values
        plans[gauge] = make_plan(target, base=base, optimizer=optimizer, gauge=gauge, **given)
    plans["forward"].initialise(models["forward"], seed=0)
    plans["folded"].initialise(models["folded"], seed=0)  # for the multipliers of its forward pass
    with torch.no_grad():
        weights = dict(models["forward"].named_parameters())
        for name, parameter in models["folded"].named_parameters():
            one, other = plans["forward"][name].init_std, plans["folded"][name].init_std
            parameter.copy_(weights[name] * (other / one if one else 1.0))
    optimizers = {g: plans[g].optimizer(models[g], **(options or {})) for g in models}
    return models, optimizers


def trained(models, optimizers, batches, scale=1.0):
    """Outputs of both on every batch, before the step on it; (steps, …) by gauge."""
    outputs = {gauge: [] for gauge in models}
    for x, y in batches:
        for gauge, model in models.items():
            logits = model(x)
            outputs[gauge].append(logits.detach())
            loss = scale * F.cross_entropy(logits.flatten(0, -2), y.flatten())
            model.zero_grad()
            loss.backward()
            step(optimizers[gauge], model)
    return {gauge: torch.stack(steps) for gauge, steps in outputs.items()}


def step(optimizer, model):
    """One step; for Sophia with squared gradients as the estimate of the curvature."""
    if hasattr(optimizer, "curvature_period"):
        optimizer.step(curvature={p: p.grad.square() for p in model.parameters()})
    else:
        optimizer.step()


def samples(seed, count=STEPS + 1):
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator}
    return [
        (torch.randn(8, 5, **draw).double(), torch.randint(3, (8,), **draw)) for _ in range(count)
    ]


def texts(seed, count=STEPS + 1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(11, (2, 4, 6), generator=generator).unbind(0) for _ in range(count)]


def apart(outputs):
    """Largest difference of the two functions, relative to how far training moved them."""
    moved = (outputs["forward"][-1] - outputs["forward"][0]).abs().max()
    return float((outputs["forward"] - outputs["folded"]).abs().max() / moved)


@settings(max_examples=40)
@given(
    optimizer=st.sampled_from(ENTRYWISE),
    width=st.sampled_from([4, 8, 12]),
    depth=st.sampled_from([1, 2, 3, 5]),
    maps=st.sampled_from([(1, True), (1, False), (2, False), (3, False)]),
    weight_decay=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 100),
)
def test_resnets_in_both_gauges_are_one_function(optimizer, width, depth, maps, weight_decay, seed):
    target, base = resnet(width, depth, *maps), resnet(4, 1, *maps)
    epsilon = None if update_law(optimizer).epsilon is None else 1e-3
    values = {"weight_decay": decay(weight_decay), "epsilon": epsilon}
    models, optimizers = twins(target, base, optimizer, std=0.4, **values)
    assert apart(trained(models, optimizers, samples(seed))) < 1e-9


@pytest.mark.parametrize("optimizer", EXACT)
def test_transformers_with_biases_and_gains_too(optimizer):
    # Powers of two where rounding would part the two; elsewhere any sizes will do.
    rounds = optimizer in ROUNDING
    target, base = (gpt(16, 4), gpt(4, 1)) if rounds else (gpt(12, 5), gpt(4, 2))
    epsilon = {"epsilon": 1e-4} if update_law(optimizer).epsilon is not None else {}
    models, optimizers = twins(target, base, optimizer, std=STARTS, **epsilon)
    assert apart(trained(models, optimizers, texts(0))) < 1e-9


@pytest.mark.parametrize("optimizer", ["adamw", "muon-kimi"])
def test_one_seed_starts_both_gauges_as_one_function(optimizer):
    outputs = []
    for gauge in ("forward", "folded"):
        model = gpt(12, 5)
        plan = make_plan(model, base=gpt(4, 2), optimizer=optimizer, std=STARTS, gauge=gauge)
        outputs.append(plan.initialise(model, seed=3)(texts(0)[0][0]))
    torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-6)  # drawn in single precision


@pytest.mark.parametrize("kind", ["lr", "weight_decay", "eps"])
def test_a_number_that_does_not_follow_the_gauge_is_seen(kind):
    target, base = resnet(12, 5, 1, True), resnet(4, 2, 1, True)
    values = {"weight_decay": decay(1.0), "epsilon": 1e-3}
    models, optimizers = twins(target, base, "adamw", std=0.4, **values)
    hidden = [group_of(optimizers[gauge], models[gauge].hidden) for gauge in models]
    hidden[0][kind] = hidden[1][kind]
    assert apart(trained(models, optimizers, samples(0))) > 1e-4


def group_of(optimizer, parameter):
    """The group in which a parameter stands, alone with those of equal numbers."""
    (group,) = [g for g in optimizer.param_groups if any(p is parameter for p in g["params"])]
    return group


def test_sophia_parts_where_its_clip_does_not_hold_and_only_there():
    def parted(clip):
        target, base = resnet(12, 5, 2, False), resnet(4, 2, 2, False)
        models, optimizers = twins(
            target, base, "sophia", std=0.4, epsilon=1e-30, options={"p": clip}
        )
        return apart(trained(models, optimizers, samples(0)))

    assert gauge_change(LAWS["sophia"]).inexact is not None
    assert parted(clip=1e-8) < 1e-9
    assert parted(clip=3.0) > 1e-4


@pytest.mark.parametrize(
    ("start", "epsilon", "same"), [(0.1, 1e-30, True), (0.0, 1e-30, False), (0.1, 1e-2, False)]
)
def test_lamb_parts_at_zero_and_by_its_second_epsilon_and_only_there(start, epsilon, same):
    target, base = resnet(12, 5, 1, True), resnet(4, 2, 1, True)
    std = {"*bias": start, "*": 0.4}
    models, optimizers = twins(target, base, "lamb", std=std, epsilon=epsilon)
    assert gauge_change(LAWS["lamb"]).inexact is not None
    difference = apart(trained(models, optimizers, samples(0)))
    assert difference < 1e-9 if same else difference > 1e-6


@pytest.mark.parametrize(("std", "same"), [(40.0, True), (0.4, False)])
def test_clamped_lamb_parts_below_its_clamp_and_only_there(std, same):
    target, base = resnet(12, 5, 2, False), resnet(4, 2, 2, False)
    models, optimizers = twins(target, base, "lamb-clamped", std=std, epsilon=1e-30)
    assert gauge_change(LAWS["lamb-clamped"]).inexact is not None
    difference = apart(trained(models, optimizers, samples(0)))
    assert difference < 1e-9 if same else difference > 1e-4


@pytest.mark.parametrize("optimizer", sorted(ROUNDING))
def test_where_rounding_parts_them_the_plan_says_so(optimizer):
    plan = make_plan(gpt(12, 5), base=gpt(4, 2), optimizer=optimizer, gauge="folded")
    assert any(ROUNDING[optimizer] in note for note in plan.notes)
