"""The same width rules as microsoft/mup's MuAdam and MuSGD: models of both train to one function.

Known differences of convention, which the tests account for:

- mup keeps the readout's multiplier in the forward pass of ``MuReadout``; a plan for a model that
  offers no multipliers folds it into the readout's numbers.
- mup leaves Adam's ε as it is, so ε is made too small to matter.
- mup asks for attention logits scaled by 1/d; with heads of a fixed dimension that is a constant.
- mup knows no depth: the number of blocks stays.
- Where the fans of a matrix grow unlike each other, mup starts it with a variance of 1/n_in, the
  plan with 1/n_in·min(1, n_out/n_in). So initial values are compared where all fans grow alike, and
  training starts both from the same ones.
"""

import importlib.util

import mup
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from specmup.parametrization.plan import make_plan
from specmup.theory.tables import ROLES

HEAD, TOKENS, BLOCKS = 4, 9, 2
WIDTH, BASE_WIDTH = 24, 8
VALUES = {"lr": 0.02, "weight_decay": 0.1}


class Block(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.norm, self.middle = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, h):
        maps, x = (self.query, self.key, self.value), self.norm(h)
        q, k, v = (m(x).unflatten(-1, (-1, HEAD)).transpose(-2, -3) for m in maps)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.out(mixed.transpose(-2, -3).flatten(-2))
        return h + self.down(F.gelu(self.up(self.middle(h))))


class Transformer(nn.Module):
    def __init__(self, width, inner, readout=nn.Linear):
        super().__init__()
        self.embed = nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList(Block(width, inner) for _ in range(BLOCKS))
        self.last = nn.LayerNorm(width)
        self.read = readout(width, TOKENS)

    def forward(self, tokens):
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h)
        return self.read(self.last(h))


def theirs(width, inner):
    """A model with mup's shapes, and biases that are not zero."""
    torch.manual_seed(0)
    sizes = [(width, inner), (BASE_WIDTH, 2 * BASE_WIDTH), (4, 12)]
    model, base, delta = (Transformer(*size, mup.MuReadout) for size in sizes)
    return mup.set_base_shapes(model.double(), base, delta=delta)


def planned(model, optimizer):
    return make_plan(
        model,
        base=lambda: Transformer(BASE_WIDTH, 2 * BASE_WIDTH),
        optimizer=optimizer,
        learning_rate=VALUES["lr"],
        weight_decay=dict.fromkeys(ROLES, VALUES["weight_decay"]),
        epsilon=1e-30 if optimizer == "adamw" else None,
        block_depth=2,
        branch_ends=["out", "down"],
    )


def ours(model, width, inner):
    """The same function without mup: the readout's matrix holds its multiplier."""
    twin = Transformer(width, inner).double()
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        twin.read.weight /= width / BASE_WIDTH
    return twin


def trained(model, optimizer, steps=8):
    """The model's outputs before each step."""
    generator, outputs = torch.Generator().manual_seed(1), []
    for _ in range(steps):
        x, y = torch.randint(TOKENS, (2, 4, 6), generator=generator)
        logits = model(x)
        outputs.append(logits.detach())
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
        optimizer.step()
    return torch.stack(outputs)


@pytest.mark.parametrize("inner", [2 * WIDTH, 5 * WIDTH], ids=["alike", "unlike"])
@pytest.mark.parametrize(
    ("optimizer", "mu_optimizer", "options", "shared"),
    [
        ("adamw", mup.MuAdam, {"impl": torch.optim.AdamW, "eps": 1e-30}, {"betas": (0.8, 0.9)}),
        ("sgd", mup.MuSGD, {}, {"momentum": 0.9}),
    ],
)
def test_both_train_to_the_same_function(inner, optimizer, mu_optimizer, options, shared):
    model = theirs(WIDTH, inner)
    twin = ours(model, WIDTH, inner)
    their_outputs = trained(model, mu_optimizer(model.parameters(), **options, **shared, **VALUES))
    our_outputs = trained(twin, planned(twin, optimizer).optimizer(twin, **shared))
    assert (their_outputs[-1] - their_outputs[0]).abs().max() > 0.1
    torch.testing.assert_close(our_outputs, their_outputs, rtol=1e-7, atol=1e-9)


def test_a_plain_optimizer_is_another_training():
    model = theirs(WIDTH, 2 * WIDTH)
    twin = ours(model, WIDTH, 2 * WIDTH)
    their_outputs = trained(model, mup.MuAdam(model.parameters(), impl=torch.optim.AdamW, **VALUES))
    plain = trained(twin, torch.optim.AdamW(twin.parameters(), **VALUES))
    assert (plain - their_outputs).abs().max() > 0.1


def test_initial_sizes_grow_alike():
    model = theirs(WIDTH, 2 * WIDTH)
    plan = planned(Transformer(WIDTH, 2 * WIDTH), "adamw")
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        torch.manual_seed(0)
        drawn = torch.empty_like(parameter).normal_()
        torch.manual_seed(0)
        mup.init.normal_(parameter)  # the same numbers, in mup's sizes
        in_forward = WIDTH / BASE_WIDTH if name == "read.weight" else 1.0
        factor = (parameter / drawn).median().item() / in_forward
        assert plan[name].factors.init_std == pytest.approx(factor), name


def test_mup_needs_no_torchvision():
    assert importlib.util.find_spec("torchvision") is None  # it would break transformers here
    assert mup.MuAdam
