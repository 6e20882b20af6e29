"""Branches with gates, experts, made weights, and what they hand on."""

import pytest
import torch
from small_nets import Net, Two, factors, of_block, planned
from torch import nn
from torch.nn import functional as F


class Values(nn.Module):
    """A block whose values are mixed with those of the first."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.two = Two(width)

    def forward(self, h, first):
        value = self.value(self.norm(h))
        value = value if first is None else (value + first) / 2
        return self.two(h + self.out(F.gelu(value))), value if first is None else first


class ValueResidual(Net):
    def __init__(self, width, depth):
        super().__init__(width, depth, Values)

    def through(self, h):
        first = None
        for block in self.blocks:
            h, first = block(h, first)
        return h


def test_values_of_the_first_block_handed_on_are_no_stream():
    plan = planned(ValueResidual)
    assert plan.width.base == 16
    assert plan["blocks.3.value.weight"].place == "branch"
    assert factors(plan, "blocks.3.value.weight") == (1 / 4, 1 / 2)
    assert factors(plan, "blocks.3.out.weight") == (1 / 16, 1 / 8)
    assert planned(ValueResidual, optimizer="sgd")[
        "blocks.3.value.weight"
    ].factors.learning_rate == (
        planned(of_block(Two), optimizer="sgd")["blocks.3.up.weight"].factors.learning_rate
    )


class Modulated(nn.Module):
    """As in a diffusion transformer: shift, scale and gate come from one map."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.steer = nn.Linear(width, 3 * width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, h):
        shift, scale, gate = self.steer(h.mean(1, keepdim=True)).chunk(3, -1)
        return h + gate * self.down(F.gelu(self.up(self.norm(h) * (1 + scale) + shift)))


def test_a_gated_branch_holds_its_multiplier_in_the_map_that_does_nothing_else():
    plan = planned(of_block(Modulated))
    assert factors(plan, "blocks.0.down.weight") == (1 / 16, 1 / 8)
    assert factors(plan, "blocks.0.down.bias")[0] == 1 / 4
    assert factors(plan, "blocks.0.steer.weight") == (1 / 4, 1 / 2)


class Experts(nn.Module):
    """All experts are asked, and a softmax weighs what they say."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.gate = nn.LayerNorm(width), nn.Linear(width, 3, bias=False)
        self.up = nn.Parameter(torch.randn(3, width, 2 * width))
        self.down = nn.Parameter(torch.randn(3, 2 * width, width))

    def forward(self, h):
        x = self.norm(h)
        each = torch.einsum("btd,edf->btef", x, self.up)
        each = torch.einsum("btef,efd->bted", F.gelu(each), self.down)
        return h + torch.einsum("bte,bted->btd", self.gate(x).softmax(-1), each)


def test_experts_that_a_softmax_weighs_end_their_branch():
    plan = planned(of_block(Experts))
    assert factors(plan, "blocks.0.up") == (1 / 4, 1 / 2)
    assert factors(plan, "blocks.0.down") == (1 / 16, 1 / 8)
    assert factors(plan, "blocks.0.gate.weight")[0] == 1 / 4


class Glu(nn.Module):
    """One map gives what is added and its gate."""

    def __init__(self, width):
        super().__init__()
        self.up, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width)

    def forward(self, h):
        value, gate = self.out(F.gelu(self.up(h))).chunk(2, -1)
        return h + value * torch.sigmoid(gate)


def test_a_map_that_gates_itself_holds_no_multiplier():
    with pytest.raises(ValueError, match="comes out of product"):
        planned(of_block(Glu), branch_ends=["out"], block_depth=2)


class Again(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.map = nn.Linear(width, width)

    def forward(self, h):
        return h + self.map(F.gelu(self.map(h)))


class Back(Again):
    def forward(self, h):
        return h + F.gelu(self.map(h)) @ self.map.weight


@pytest.mark.parametrize("block", [Again, Back])
def test_a_map_that_acts_twice_in_a_branch_holds_no_multiplier(block):
    with pytest.raises(ValueError, match=r"map\.weight shall hold.*more than once in a row"):
        planned(of_block(block), branch_ends=["map"], block_depth=2)


class Generated(nn.Module):
    """A map's weights are made by another, from what is learnt or from data."""

    def __init__(self, width, dynamic=False):
        super().__init__()
        self.dynamic = dynamic
        if dynamic:
            self.ask = nn.Linear(width, 5)
        else:
            self.code = nn.Parameter(torch.randn(5))
        self.make = nn.Linear(5, width * width)
        self.out = nn.Linear(width, width)

    def forward(self, h):
        code = self.ask(h.mean(1)) if self.dynamic else self.code
        made = self.make(code).unflatten(-1, (h.shape[-1], h.shape[-1]))
        return h + self.out(F.gelu(h @ made))


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_map_that_makes_the_weights_of_another_is_refused(dynamic):
    kind = of_block(lambda width: Generated(width, dynamic))
    with pytest.raises(ValueError, match=r"make\.weight writes 4096 .* the base 256.*square"):
        planned(kind)
    assert planned(kind, places={"make": "branch"})  # an explicit word counts


class Kernels(nn.Module):
    """Linear attention without a normalisation: queries meet keys over the whole width."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, h):
        state = self.key(h).relu().mT @ self.value(h)
        return h + self.out(self.query(h).relu() @ state)


def test_a_sum_of_products_of_data_that_grows_is_noted():
    notes = planned(of_block(Kernels)).notes
    assert any("contracts data with data over 64 entries, in the base over 16" in n for n in notes)
    notes = planned(of_block(Kernels), target=(16, 8)).notes
    assert not any("contracts data" in n for n in notes)


class Waves(nn.Module):
    """A state space with complex numbers, as S4D's."""

    def __init__(self, width):
        super().__init__()
        self.rates, self.weights = (
            nn.Parameter(torch.rand(width, 3)),
            nn.Parameter(torch.rand(width, 3)),
        )
        self.out = nn.Linear(width, width)

    def forward(self, h):
        kernel = (torch.exp(1j * self.rates) * self.weights).sum(-1).real
        return h + self.out(F.gelu(h * kernel))


def test_complex_numbers_are_no_hindrance():
    assert factors(planned(of_block(Waves)), "blocks.0.out.weight")[0] == pytest.approx(1 / 16)
