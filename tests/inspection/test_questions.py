"""What is not known is asked for at once, and what is proposed is a declaration that works."""

import ast

import pytest
import torch
from torch import nn

from specmup.inspection.places import PLACES
from specmup.inspection.questions import Undeclared
from specmup.parametrization.plan import make_plan


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)


class Layer(nn.Module):
    """Names that nothing knows; scales, a table and a bare matrix."""

    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width)
        )
        self.scale = nn.Parameter(torch.ones(width))
        self.bare = nn.Parameter(torch.randn(width, 2 * width))
        self.table = nn.Embedding(5, width)


class Strange(nn.Module):
    """It has no forward pass that could be looked at."""

    def __init__(self, width, depth):
        super().__init__()
        self.code = nn.Embedding(11, width)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))
        self.pool = nn.Linear(width, width)
        self.out = nn.Linear(width, 3)


def asked(model, base, **told):
    with pytest.raises(Undeclared) as caught:
        make_plan(model, base=base, **told)
    return caught.value


def test_all_is_asked_at_once_and_the_second_call_plans():
    model, base = Strange(32, 4), Strange(16, 2)
    problem = asked(model, base)
    assert problem.proposal.branch_ends == ("mix", "feed.2")
    assert problem.proposal.block_depth == 2
    assert problem.proposal.places == {
        "token": "embedding",
        "layers.*.scale": "branch",
        "layers.*.bare": "branch",
        "layers.*.table.weight": "branch",
    }
    assert len(problem.reasons) == 7  # the ends, four places, the number of maps, why none is seen
    plan = make_plan(model, base=base, **problem.proposal.given)
    assert plan["layers.0.feed.2.weight"].factors.folded == 1 / 2
    assert plan["pool.bias"].role == "hidden_bias"


def test_what_was_declared_is_kept_in_the_proposal():
    told = {"branch_ends": ["mix"], "places": {"token": "input", "pool": "head"}}
    problem = asked(Strange(32, 4), Strange(16, 2), **told)
    assert problem.proposal.branch_ends == ("mix",)
    assert {"token": "input", "pool": "head"}.items() <= problem.proposal.places.items()


def test_the_message_can_be_pasted_and_says_what_places_are():
    text = str(asked(Strange(32, 4), Strange(16, 2)))
    pasted = text.splitlines()[0].partition("declare it, ")[2]
    call = ast.parse(f"f({pasted})", mode="eval").body
    told = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert make_plan(Strange(32, 4), base=Strange(16, 2), **told).depth.ratio == 2
    assert all(f"{name}, {place.means}" in text for name, place in PLACES.items())


def test_branches_need_not_be_known_where_the_depth_stays():
    """All rules have the same powers of the width for one map in a branch and for two."""
    problem = asked(Strange(32, 2), Strange(16, 2))
    assert not problem.proposal.branch_ends and problem.proposal.block_depth is None
    told = {"places": {**problem.proposal.places, "pool": "branch"}}
    for optimizer in ("adamw", "sgd", "muon-kimi", "shampoo"):
        plans = [
            make_plan(Strange(32, 2), base=Strange(16, 2), optimizer=optimizer, **told | more)
            for more in (
                {},
                *({"branch_ends": ["mix", "feed.2"], "block_depth": k} for k in (1, 2)),
            )
        ]
        first, *rest = ({n: e.factors for n, e in plan.items()} for plan in plans)
        assert rest == [first, first]


@pytest.mark.parametrize("model_type", ["phi", "opt", "bloom", "gptj", "starcoder2", "codegen"])
def test_two_calls_are_enough_for_models_that_cannot_be_looked_at(hugging_face, model_type):
    """Without their forward pass the proposal rests on shapes and the order of modules."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
    more = {"ffn_dim": 128, "word_embed_proj_dim": 64} if model_type == "opt" else {}
    more |= {"rotary_dim": 8} if model_type in ("gptj", "codegen") else {}
    model = hugging_face(model_type, **sizes, **more)
    model.forward = lambda: None
    base = hugging_face(model_type, **sizes | {"num_hidden_layers": 2}, **more)
    problem = asked(model, base)
    plan = make_plan(model, base=base, **problem.proposal.given)
    folded = {e.pattern.split(".")[-2] for e in plan.values() if e.place == "branch_end"}
    assert len(folded) == 2
    assert all(e.factors.folded == 1 / 2 for e in plan.values() if e.place == "branch_end")


class Gated(nn.Module):
    """One map gates what another writes, and a third reads the product."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.opened, self.written = nn.Linear(width, width), nn.Linear(width, width)
        self.read = nn.Linear(width, width)

    def forward(self, h):
        g = self.norm(h)
        return h + self.read(torch.sigmoid(self.opened(g)) * self.written(g))


class GatedStack(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.code = nn.Embedding(11, width)
        self.layers = nn.ModuleList(Gated(width) for _ in range(depth))
        self.out = nn.Linear(width, 3)

    def forward(self, tokens):
        h = self.code(tokens)
        for layer in self.layers:
            h = layer(h)
        return self.out(h)


def test_a_gated_branch_is_taken_for_one_of_two_maps_or_more():
    model, base = GatedStack(32, 4), GatedStack(16, 2)
    plan = make_plan(model, base=base)  # the forward pass is seen, so nothing is asked
    assert plan.block_depth == 2
    maps = [plan[f"layers.0.{name}.weight"] for name in ("opened", "written", "read")]
    assert [entry.factors.folded for entry in maps] == [1, 1, 1 / 2]
    assert {entry.role for entry in maps} == {"hidden"}
