"""Maps whose heads have a dimension of their own are planned as the matrices that they are."""

import pytest
import torch
from torch import nn

from specmup.parametrization.plan import make_plan

V = 11


def bare(*shape):
    return nn.Parameter(0.1 * torch.randn(shape))


class Apart(nn.Module):
    """Attention as TransformerLens keeps it: (heads, n, d) to the heads, (heads, d, n) back."""

    def __init__(self, width, heads):
        super().__init__()
        dimension = width // heads
        self.ask, self.answer, self.say = (bare(heads, width, dimension) for _ in range(3))
        self.back = bare(heads, dimension, width)

    def forward(self, x):
        q, k, v = (torch.einsum("btn,hnd->bhtd", x, w) for w in (self.ask, self.answer, self.say))
        mixed = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v
        return torch.einsum("bhtd,hdn->btn", mixed, self.back)


class Flat(nn.Module):
    """The same in matrices."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ask, self.answer, self.say, self.back = (bare(width, width) for _ in range(4))

    def forward(self, x):
        q, k, v = (
            (x @ w).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for w in (self.ask, self.answer, self.say)
        )
        mixed = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v
        return mixed.transpose(1, 2).flatten(2) @ self.back


class Net(nn.Module):
    def __init__(self, kind, width, heads, depth):
        super().__init__()
        self.words, self.speak = nn.Embedding(V, width), nn.Linear(width, V, bias=False)
        self.body = nn.ModuleList(kind(width, heads) for _ in range(depth))

    def forward(self, tokens):
        h = self.words(tokens)
        for attention in self.body:
            h = h + attention(h)
        return self.speak(h)


def planned(kind, base, **options):
    return make_plan(Net(kind, 64, 8, 8), base=Net(kind, *base), verify=True, **options)


@pytest.mark.parametrize("base", [(16, 2, 2), (8, 1, 2)], ids=["several heads", "one head"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_heads_that_stand_apart_take_the_factors_of_the_matrix(optimizer, base):
    apart, flat = (planned(kind, base, optimizer=optimizer) for kind in (Apart, Flat))
    assert list(apart) == list(flat)
    for name, entry in apart.items():
        wanted = flat[name]
        assert (entry.place, entry.fan_out, entry.fan_in) == (
            (wanted.place, wanted.fan_out, wanted.fan_in)
        ), name
        assert entry.factors == wanted.factors, name
    assert not any("number of matrices" in note for note in apart.notes)
    right = {"adamw": 16 / 64 if base[0] == 16 else 8 / 64, "sgd": None, "muon": None}[optimizer]
    if right is not None:
        assert apart["body.0.ask"].factors.learning_rate == right
        assert apart["body.0.back"].factors.learning_rate == right * base[2] / 8


class Half(Flat):
    """Of which only the way back stands apart, in an order that a view shows as a matrix."""

    def __init__(self, width, heads):
        super().__init__(width, heads)
        self.back = bare(heads, width // heads, width)

    def forward(self, x):
        q, k, v = (
            (x @ w).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for w in (self.ask, self.answer, self.say)
        )
        mixed = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) @ v
        return torch.einsum("bhtd,hdn->btn", mixed, self.back)


def test_muon_makes_one_step_of_all_heads():
    torch.manual_seed(0)
    model = Net(Half, 32, 4, 2)
    plan = make_plan(
        model, base=Net(Half, 16, 2, 2), optimizer="muon", learning_rate=0.01, verify=True
    )
    before = model.body[0].back.detach().clone()
    trainer = plan.optimizer(model)
    model(torch.randint(V, (16, 12))).square().mean().backward()
    trainer.step()
    step = (before - model.body[0].back.detach()).flatten(0, 1)
    singular = torch.linalg.svdvals(step / plan["body.0.back"].learning_rate)
    assert singular[0] < 1.5 and singular[:12].min() > 0.3  # of one matrix, not of one a head


def test_a_matrix_that_no_view_shows_is_refused_to_muon():
    plan = planned(Apart, (16, 2, 2), optimizer="muon", learning_rate=0.01)
    with pytest.raises(ValueError, match=r"body.0.ask.*one map of 64 to 64.*store it as"):
        plan.optimizer(Net(Apart, 64, 8, 8))
