"""A base whose blocks outweigh its embedding at the start is told what that does in depth."""

import re

import pytest
import torch
from torch import nn

from specmup.parametrization.plan import make_plan

V = 12


class Block(nn.Module):
    """A branch that ends in a normalisation with a gain, so it adds vectors of size one."""

    def __init__(self, width):
        super().__init__()
        self.before, self.after = nn.RMSNorm(width), nn.RMSNorm(width)
        self.wide = nn.Linear(width, 2 * width, bias=False)
        self.back = nn.Linear(2 * width, width, bias=False)

    def forward(self, h):
        return h + self.after(self.back(torch.relu(self.wide(self.before(h)))))


class Net(nn.Module):
    block = Block

    def __init__(self, width, depth, std):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(V, width)
        nn.init.normal_(self.words.weight, std=std)
        self.body = nn.ModuleList(self.block(width) for _ in range(depth))
        self.end, self.speak = nn.RMSNorm(width), nn.Linear(width, V, bias=False)

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = block(h)
        return self.speak(self.end(h))


def told(std, *, width=256, depth=(2, 8), block_depth=2, kind=Net, **options):
    small, large = (kind(width, count, std) for count in depth)
    weights = {name: p.clone() for name, p in small.named_parameters()}
    state, mode = torch.get_rng_state(), small.training
    plan = make_plan(
        large, base=small, branch_ends=["after"], block_depth=block_depth, verify=True, **options
    )
    assert all(torch.equal(p, weights[name]) for name, p in small.named_parameters())
    assert torch.equal(torch.get_rng_state(), state) and small.training == mode
    return [note for note in plan.notes if note.startswith("At the base's start")]


@pytest.mark.parametrize("std", [0.02, 0.5])
def test_the_stream_shrinks_as_sums_of_what_points_anywhere_do(std):
    (note,) = told(std)
    times, shrinks = (
        float(x) for x in re.search(r"add (\S+) times.*×(\S+) as large", note).groups()
    )
    assert times == pytest.approx(2**0.5 / std, rel=0.1)
    assert shrinks == pytest.approx(((std**2 + 2 / 4) / (std**2 + 2)) ** 0.5, rel=0.03)


def test_the_remedy_is_one_and_names_what_enters():
    (note,) = told(0.02)
    (times,) = re.search(r"Tune the base with words\.weight (\S+) times larger", note).groups()
    assert not told(0.02 * float(times) * 1.1)
    assert told(0.02 * float(times) * 0.9)


class Branch(Block):
    def forward(self, h):
        return self.after(self.back(torch.relu(self.wide(self.before(h)))))


class Outside(Net):
    """The model adds what blocks give."""

    block = Branch

    def forward(self, tokens):
        h = self.words(tokens)
        for block in self.body:
            h = h + block(h)
        return self.speak(self.end(h))


@pytest.mark.parametrize("depth", [2, 3])
def test_it_makes_no_difference_who_adds(depth):
    (note,) = told(0.02, depth=(depth, 8))
    assert told(0.02, depth=(depth, 8), kind=Outside) == [note]
    assert not told(1.0, depth=(depth, 8), kind=Outside)


def test_it_grows_where_the_model_is_shallower_than_its_base():
    (note,) = told(0.02, depth=(8, 2))
    assert "×2 as large" in note


@pytest.mark.parametrize(
    "options",
    [
        {"std": 2.0},  # what enters holds the stream
        {"std": 0.02, "depth": (2, 2)},
        {"std": 0.02, "block_depth": 1},  # 1/√L: sums stay as large
    ],
)
def test_nothing_is_said_where_the_stream_stays(options):
    assert not told(**options)


def test_the_size_that_counts_is_the_one_at_which_the_plan_starts():
    assert told(0.02, width=64)
    small, large = (Net(64, count, 0.02) for count in (2, 8))
    options = {"base": small, "branch_ends": ["after"], "block_depth": 2}
    louder = make_plan(large, **options, std={"words": 2.0, "*": 0.1})
    assert not any(note.startswith("At the base's start") for note in louder.notes)


def test_a_normalised_stream_stays_whatever_is_added():
    class Post(Block):
        def forward(self, h):
            return self.after(h + self.back(torch.relu(self.wide(h))))

    def build(depth):
        net = Net(64, depth, 0.02)
        for index in range(depth):
            net.body[index] = Post(64)
        return net

    plan = make_plan(build(8), base=build(2), branch_ends=["back"], block_depth=2, verify=True)
    assert not any(note.startswith("At the base's start") for note in plan.notes)
