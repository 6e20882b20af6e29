"""Of the constants before a product of queries and keys: which are a map's, which attention's."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.tracing.reading import read
from specmup.tracing.trace import trace

WIDTH, HEAD, TOKENS = 16, 4, 6


class Scaled(nn.Linear):
    def forward(self, x):
        return super().forward(x) / 4


class Wrapped(nn.Module):
    def __init__(self, n_in, n_out, bias):
        super().__init__()
        self.inner = nn.Linear(n_in, n_out, bias=bias)

    def forward(self, x):
        return self.inner(x) / 4


class Product(nn.Module):
    """The softmax in a module of its own."""

    def forward(self, q, k, v):
        return torch.softmax(q @ k.transpose(-2, -1), -1) @ v


def rotated(x):
    angle = torch.arange(TOKENS)[:, None] / torch.tensor([1.0, 10.0]).repeat(2)
    half = torch.cat([-x[..., HEAD // 2 :], x[..., : HEAD // 2]], -1)
    return x * angle.cos() + half * angle.sin()


def by_hand(q, k, v):
    return torch.softmax(q @ k.transpose(-2, -1) / HEAD, -1) @ v


WAYS = {
    "fused": (lambda a, q, k, v: F.scaled_dot_product_attention(q, k, v), 0.5),
    "fused, told": (lambda a, q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.125), 0.125),
    "behind": (lambda a, q, k, v: by_hand(q, k, v), 0.25),
    "on queries": (lambda a, q, k, v: a.product(q * 0.125, k, v), 0.125),
    "on both": (lambda a, q, k, v: a.product(q * 0.5, k / 4, v), 0.125),
    "then rotated": (lambda a, q, k, v: a.product(rotated(q * 0.125), rotated(k), v), 0.125),
    "rotated": (lambda a, q, k, v: by_hand(rotated(q) / 2, rotated(k), v), 0.125),
}


class Attending(nn.Module):
    def __init__(self, linear, way):
        super().__init__()
        self.query, self.key, self.value, self.out = (
            linear(WIDTH, WIDTH, bias=False) for _ in range(4)
        )
        self.product, self.way = Product(), way

    def forward(self, x):
        heads = (m(x).unflatten(-1, (-1, HEAD)).transpose(-3, -2) for m in self.maps())
        return self.out(self.way(self, *heads).transpose(-3, -2).flatten(-2))

    def maps(self):
        return self.query, self.key, self.value


class Stream(nn.Module):
    def __init__(self, *how):
        super().__init__()
        self.embed, self.attention = nn.Embedding(8, WIDTH), Attending(*how)

    def forward(self, tokens):
        h = self.embed(tokens)
        return h + self.attention(F.layer_norm(h, (WIDTH,)))


@pytest.mark.parametrize(("way", "scale"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("linear", "own"), [(nn.Linear, 1.0), (Scaled, 0.25), (Wrapped, 0.25)])
def test_a_map_s_constant_is_its_modules_and_the_rest_attention_s(linear, own, way, scale):
    found = read(trace(Stream(linear, way), [torch.arange(TOKENS)[None]]))
    ((attention),) = found.attentions
    assert (attention.scale, attention.dimension) == (scale, HEAD)
    maps = {name: by for (name, _), by in found.constants.items() if "attention" in name}
    assert len(maps) == 4 and set(maps.values()) == {frozenset([own])}
