"""Stacked replicas with norms enforced: each is what the wrapper makes of it alone."""

import math
from dataclasses import replace

import pytest
import torch

from experiments.instruments.enforced_replicas import enforced_replicas
from specmup.data.images import digits
from specmup.models.resnet import ResNetShape, build
from specmup.optimizers.enforced import Enforced, enforced_rules
from specmup.optimizers.registry import make_optimizer
from specmup.theory.update import LAWS
from specmup.training.learning_rates import ordinary_base
from specmup.training.resnet import train
from specmup.training.scaling import scale

RATES = [2.0**-7, 2.0**-5]
SHAPE = ResNetShape(inputs=64, width=72, depth=2, outputs=10, bias=True)
RUN = {"steps": 3, "batch_size": 16, "progress": False}


def settings(rate, **changes):
    base = ordinary_base(SHAPE).at_learning_rate(rate)
    carried = scale(enforced_rules(2), base, width=SHAPE.width, depth=SHAPE.depth)
    return {role: replace(s, **changes) for role, s in carried.items()}


class Recorded:
    """An optimizer that keeps what each step adds to the model's parameters."""

    def __init__(self, model, optimizer):
        self.model, self.optimizer, self.moved = model, optimizer, []
        self.curvature_period = optimizer.curvature_period
        self.zero_grad = optimizer.zero_grad

    def step(self, **inner):
        before = {role: p.detach().clone() for role, p in self.model.named_parameters()}
        self.optimizer.step(**inner)
        after = self.model.named_parameters()
        self.moved.append({role: p.detach() - before[role] for role, p in after})


def norms(step, role):
    if role.endswith("bias"):
        return step.square().mean(-1).sqrt()
    return torch.linalg.matrix_norm(step, 2) * math.sqrt(step.shape[-1] / step.shape[-2])


@pytest.mark.parametrize("name", sorted(LAWS))
def test_every_replica_has_its_own_norm(name):
    own = [settings(rate) for rate in RATES]
    model = build(SHAPE, own[0], [0, 1])
    recorded = Recorded(model, enforced_replicas(model, own, name))
    train(model, recorded, digits(), seeds=[0, 1], **RUN)
    for role, step in recorded.moved[-1].items():
        for r, rate in enumerate(RATES):
            moved = norms(step[r], role)
            assert (moved / rate - 1).abs().max() < 0.015, role


@pytest.mark.parametrize("name", ["sgd", "adamw", "sophia"])
def test_a_replica_is_what_the_wrapper_makes_of_a_model_alone(name):
    own = [settings(rate, weight_decay=0.1) for rate in RATES]
    stacked = build(SHAPE, own[0], [0, 1])
    losses = train(stacked, enforced_replicas(stacked, own, name), digits(), seeds=[0, 1], **RUN)
    for r, rate in enumerate(RATES):
        model = build(SHAPE, own[r], r)
        groups = [
            {"params": [p], "lr": rate, "weight_decay": 0.1, "vectors": role.endswith("bias")}
            for role, p in model.named_parameters()
        ]
        alone = train(model, Enforced(make_optimizer(name, groups)), digits(), seeds=r, **RUN)
        assert torch.allclose(losses[:, r], alone[:, 0], rtol=1e-4)
        assert torch.allclose(stacked.hidden[r], model.hidden, atol=1e-4)


def test_one_setting_serves_a_plain_model():
    model = build(SHAPE, settings(RATES[0]), 0)
    recorded = Recorded(model, enforced_replicas(model, settings(RATES[0]), "adamw"))
    train(model, recorded, digits(), seeds=0, **RUN)
    moved = norms(recorded.moved[0]["hidden"], "hidden")
    assert (moved / RATES[0] - 1).abs().max() < 0.015
