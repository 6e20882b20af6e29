"""Networks without branches, or whose branches end in a gain: nothing hidden ends there."""

import pytest
import torch
from torch import nn

from specmup.auditing.audit import audit
from specmup.parametrization.plan import make_plan

V, WIDTHS, DEPTHS = 8, (16, 32, 64), (2, 4, 8)


class Plain(nn.Sequential):
    def __init__(self, width, depth):
        maps = (nn.Linear(width, width, bias=False) for _ in "ab")
        super().__init__(nn.Embedding(V, width), *maps, nn.Linear(width, V, bias=False))


class Block(nn.Module):
    def __init__(self, width, last):
        super().__init__()
        self.wide, self.back = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.last = last(width)

    def forward(self, h):
        return h + self.last(self.back(torch.relu(self.wide(h))))


class Gate(nn.Module):
    """A number, as in ReZero, which starts at one."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.weight * x


class Residual(nn.Module):
    def __init__(self, width, depth, last):
        super().__init__()
        self.words, self.speak = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.body = nn.ModuleList(Block(width, last) for _ in range(depth))

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block(h)
        return self.speak(h)


KINDS = {
    "plain": (Plain, (WIDTHS, (2,)), "1.weight", {"width": 4.0}),
    "gate": (
        lambda n, L: Residual(n, L, Gate),
        (WIDTHS, DEPTHS),
        "body.*.last.weight",
        {"depth": 4.0},
    ),
    "norm": (
        lambda n, L: Residual(n, L, nn.LayerNorm),
        (WIDTHS, DEPTHS),
        "body.*.last.weight",
        {"depth": 4.0},
    ),
}


def trained(build, wrong=None):
    """Under a plan, but for one kind of parameter that keeps the base's rate."""

    def code(width, depth):
        model, base = build(width, depth), build(WIDTHS[0], 2)
        plan = make_plan(model, base=base, learning_rate=0.01, std=0.1)
        plan.initialise(model, seed=0)
        groups = [
            {
                **group,
                "params": [parameter],
                "lr": 0.01 if names[parameter] == wrong else group["lr"],
            }
            for names in [{p: plan[name].pattern for name, p in model.named_parameters()}]
            for group in plan.groups(model)
            for parameter in group["params"]
        ]
        return model, torch.optim.AdamW(groups)

    return code


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_agreed_with_and_one_rate_that_stays_is_named(kind):
    build, (widths, depths), pattern, factors = KINDS[kind]
    found = audit(trained(build), widths=widths, depths=depths)
    assert found.agrees and not found.broken
    found = audit(trained(build, pattern), widths=widths, depths=depths)
    (fault,) = found.faults
    assert (fault.pattern, fault.number, dict(fault.factors)) == (pattern, "learning_rate", factors)
    assert pattern in {name for b in found.broken for name in b.where.values()}


def test_a_network_without_branches_is_not_told_of_them():
    def one_rate(width, depth):
        model = Plain(width, depth)
        return model, torch.optim.AdamW(model.parameters(), lr=0.01)

    told = str(audit(one_rate, widths=WIDTHS, depths=(2,))).splitlines()[0]
    assert told.endswith("in width for AdamW, but the condition asks for μP in width")
