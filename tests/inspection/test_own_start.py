"""A seeded start draws what the model draws, and leaves alone what it makes."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.inspection.own_start import own_start
from specmup.inspection.specs import ParamSpec
from specmup.parametrization.plan import make_plan

V = 12


class Unit(nn.Module):
    """A block full of things that are no centred draw."""

    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.rates_log = nn.Parameter(torch.arange(1.0, 5.0).log().repeat(width, 1))  # (width, 4)
        self.step = nn.Parameter(torch.rand(width) - 4)  # drawn, about a mean of its own
        self.jump = nn.Parameter(torch.full((width,), -2.0))
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h):
        x = F.rms_norm(h, h.shape[-1:]) * self.gamma
        x = self.into(x) * torch.sigmoid(self.step) * self.rates_log.exp().sum(-1)
        return h + self.out(F.relu(x)) * self.jump


class Model(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.words = nn.Embedding(V, width, padding_idx=3)
        angle = torch.arange(8.0)[:, None] / 10 ** torch.linspace(0, 1, width)
        self.where = nn.Parameter(angle.sin())
        self.units = nn.ModuleList(Unit(width) for _ in range(depth))
        self.out = nn.Linear(width, V, bias=False)

    def forward(self, tokens):
        h = self.words(tokens) + self.where[: tokens.shape[-1]]
        for unit in self.units:
            h = unit(h)
        return self.out(h)


DECLARED = {
    "branch_ends": ["units.*.out"],
    "block_depth": 2,
    "places": {
        "where": "embedding",
        **dict.fromkeys(["rates_log", "step"], "branch"),
        "jump": "branch_norm",
    },
}


def planned(base):
    return make_plan(Model(32, 4), base=base, learning_rate=1.0, std=0.5, **DECLARED)


KEPT = ("where", "units.0.rates_log", "units.3.step", "units.1.jump", "units.2.gamma")


@pytest.mark.parametrize("base", [lambda: Model(16, 2), Model(16, 2)], ids=["factory", "instance"])
def test_structure_stays_and_draws_are_drawn(base):
    plan = planned(base)
    torch.manual_seed(5)
    model = Model(32, 4)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plan.initialise(model, seed=1)
    now = dict(model.named_parameters())
    drawn_step = callable(base)
    for name in KEPT if drawn_step else [n for n in KEPT if "step" not in n]:
        assert torch.equal(now[name], before[name]), name
    assert torch.equal(now["words.weight"][3], torch.zeros(32))
    for name in ("words.weight", "units.0.into.weight", "out.weight"):
        assert not torch.equal(now[name], before[name])
        rows = torch.arange(len(now[name])) != 3 if name == "words.weight" else slice(None)
        assert now[name][rows].square().mean().sqrt().item() == pytest.approx(
            plan[name].init_std, rel=0.2
        )


def test_two_calls_are_one():
    plan, model = planned(lambda: Model(16, 2)), Model(32, 4)
    for seed in (None, 3):
        once = {n: p.clone() for n, p in plan.initialise(model, seed).named_parameters()}
        for name, value in plan.initialise(model, seed).named_parameters():
            assert torch.allclose(value, once[name]), name


def test_what_is_kept_is_noted_and_written_down():
    plan = planned(lambda: Model(16, 2))
    note = next(note for note in plan.notes if "no centred draw" in note)
    assert all(name in note for name in ("where", "units.*.rates_log", "units.*.step"))
    assert type(plan).from_json(plan.to_json())["words.weight"].zero_rows == (3,)
    assert plan["units.0.jump"].start == "constant" and plan["units.0.jump"].init_std == -2


def test_a_base_on_the_meta_device_that_cannot_be_made_again_is_noted():
    with torch.device("meta"):
        base = Model(16, 2)
    assert any("own start was not seen" in note for note in planned(base).notes)


@pytest.mark.parametrize(
    ("start", "kind", "constant"),
    [
        (lambda: torch.randn(8, 4), "drawn", None),
        (lambda: torch.rand(64, 64), "kept", None),
        (lambda: torch.full((5,), 0.3), "constant", 0.3),
        (lambda: torch.zeros(4, 4), "constant", 0.0),
        (lambda: torch.eye(4), "kept", None),
        (lambda: torch.nn.init.trunc_normal_(torch.empty(30, 30)), "drawn", None),
        (lambda: torch.nn.init.orthogonal_(torch.empty(9, 9)), "drawn", None),
        (lambda: torch.linspace(-1, 1, 9), "kept", None),
    ],
)
def test_two_draws_tell_a_draw_from_structure(start, kind, constant):
    def model():
        made = nn.Module()
        made.w = nn.Parameter(start())
        return made

    spec = ParamSpec("w", ("w",), (), tuple(start().shape), nn.Module, None, 1, in_norm=False)
    found = own_start(spec, [model(), model()])
    assert found.kind == kind
    assert found.constant == constant or math.isclose(found.constant, constant, rel_tol=1e-6)


class Blank(nn.Module):
    """Maps that start at zero, as those of networks that a plan alone initialises."""

    def __init__(self, width, depth):
        super().__init__()
        self.words, self.out = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.units = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        for unit in self.units:
            nn.init.zeros_(unit.weight)
            nn.init.zeros_(unit.bias)

    def forward(self, tokens):
        h = self.words(tokens)
        for unit in self.units:
            h = h + unit(F.relu(h))
        return self.out(h)


@pytest.mark.parametrize("std", [None, 0.5])
def test_a_size_that_is_given_for_maps_at_zero_is_drawn(std):
    declared = {"branch_ends": ["units"], "block_depth": 1}
    plan = make_plan(Blank(32, 4), base=lambda: Blank(16, 2), std=std, **declared)
    weight = plan.initialise(Blank(32, 4), seed=0).units[2].weight
    size = 0 if std is None else plan["units.2.weight"].init_std
    assert weight.square().mean().sqrt().item() == pytest.approx(size, rel=0.1)
    assert (size == 0) == (std is None)
    assert weight.std() > 0 or std is None


@pytest.mark.parametrize(
    ("std", "told"),
    [
        (None, False),
        (0.5, True),
        ({"hidden": 0.5, "*": 0.1}, True),
        ({"units": 0, "*": 0.5}, False),
        ({"units": 0.5, "*": 0.1}, False),
    ],
)
def test_maps_at_zero_that_a_number_for_all_draws_are_told(std, told):
    declared = {"branch_ends": ["units"], "block_depth": 1}
    plan = make_plan(Blank(32, 4), base=lambda: Blank(16, 2), std=std, **declared)
    said = [note for note in plan.notes if "zero in the base's own start" in note]
    assert bool(said) == told
    if told:  # what it says to give keeps the maps at zero
        assert said[0].startswith("units.*.weight: ") and "{'units.*.weight': 0, '*': …}" in said[0]
        kept = {"units.*.weight": 0, "*": 0.5}
        plan = make_plan(Blank(32, 4), base=lambda: Blank(16, 2), std=kept, **declared)
        assert not plan.initialise(Blank(32, 4), seed=0).units[2].weight.any()


class Stepped(Blank):
    """Blocks whose biases are drawn: those of the maps around zero, those of steps around −5."""

    def __init__(self, width, depth):
        super().__init__(width, depth)
        self.step_bias = nn.ParameterList(torch.randn(width) - 5 for _ in range(depth))
        for unit in self.units:
            unit.reset_parameters()

    def forward(self, tokens):
        h = self.words(tokens)
        for unit, step in zip(self.units, self.step_bias, strict=True):
            h = h + unit(F.relu(h) * F.softplus(h + step))
        return self.out(h)


@pytest.mark.parametrize(("name", "kind"), [("step_bias.0", "kept"), ("units.0.bias", "drawn")])
def test_a_bias_that_is_drawn_around_something_else_than_zero_stays(name, kind):
    """Mamba-2's dt_bias, about −5, would begin other time scales if it were drawn around zero."""
    spec = ParamSpec("some.bias", (name,), (), (4,), nn.Module, None, 1, False)
    assert own_start(spec, [Stepped(4, 2), Stepped(4, 2)]).kind == kind
