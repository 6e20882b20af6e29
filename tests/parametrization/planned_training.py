"""A small GPT under a plan, its optimizer, and a few steps of training."""

import torch
from torch.nn import functional as F

from specmup.models.gpt import GPT, GPTShape
from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES

DECAY = dict.fromkeys(ROLES, 0.1)


def gpt(width=16, depth=3):
    torch.manual_seed(0)
    return GPT(GPTShape(12, 8, width, depth, head_dimension=8, bias=True))


def planned(model, optimizer="adamw", **values):
    given = {"learning_rate": 0.01, "std": 0.1, "weight_decay": DECAY} | values
    return make_plan(model, base=gpt(8, 1), optimizer=optimizer, **given)


def started(optimizer_name="adamw", **options):
    """A model at the plan's start and its optimizer."""
    model = gpt()
    plan = planned(model, optimizer_name)
    plan.initialise(model, seed=0)
    return model, plan.optimizer(model, **options)


def train(model, optimizer, steps, first=0):
    """Train on steps ``first`` to ``first + steps``; the losses."""
    losses = []
    for step in range(first, first + steps):
        x, y = torch.randint(12, (2, 4, 8), generator=torch.Generator().manual_seed(step))
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def same(model, other):
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return all(torch.equal(p, q) for p, q in pairs)
