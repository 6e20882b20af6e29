"""Small networks of tokens, blocks and a head, planned as anybody's."""

import torch
from torch import nn
from torch.nn import functional as F

from specmup.parametrization.plan import make_plan

VOCABULARY = 24
TOKENS = torch.arange(8).reshape(2, 4)


class Net(nn.Module):
    """Tokens, blocks, a normalisation and a head."""

    def __init__(self, width, depth, block):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, width)
        self.blocks = nn.ModuleList(block(width) for _ in range(depth))
        self.end = nn.LayerNorm(width)
        self.speak = nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, tokens):
        return self.speak(self.end(self.through(self.words(tokens))))

    def through(self, h):
        for block in self.blocks:
            h = block(h)
        return h


class Two(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, h):
        return h + self.down(F.gelu(self.up(self.norm(h))))


def planned(kind, target=(64, 8), base=(16, 2), optimizer="adamw", **told):
    made = (lambda: kind(*target)), (lambda: kind(*base))
    options = {"learning_rate": 1.0, "std": 0.1, "example": TOKENS}
    return make_plan(made[0], base=made[1], optimizer=optimizer, **options | told)


def of_block(block):
    return lambda width, depth: Net(width, depth, block)


def factors(plan, name):
    entry = plan[name].factors
    return entry.learning_rate, entry.init_std
