"""Published recipes, each written anew as training code: (width, depth) to model and optimizer.

All but those named otherwise are the same pre-norm transformer with heads of a fixed dimension. Its
forward pass hides its constants in its code, as everybody's does.
"""

import math
from fnmatch import fnmatchcase

import mup
import torch
from torch import nn
from torch.nn import functional as F

WIDTHS, DEPTHS = (16, 32, 64), (2, 4, 8)
BASE_WIDTH, BASE_DEPTH = WIDTHS[0], DEPTHS[0]
HEAD, TOKENS = 8, 24
DECLARED = {"block_depth": 2, "branch_ends": ["out", "down"]}
RATE = 0.01


class Block(nn.Module):
    def __init__(self, width, inner, alpha, linear):
        super().__init__()
        self.alpha = alpha
        self.norm, self.middle = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (linear(width, width) for _ in range(3))
        self.out = linear(width, width)
        self.up, self.down = linear(width, inner), linear(inner, width)

    def forward(self, h):
        maps, x = (self.query, self.key, self.value), self.norm(h)
        q, k, v = (m(x).unflatten(-1, (-1, HEAD)).transpose(-2, -3) for m in maps)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.alpha * self.out(mixed.transpose(-2, -3).flatten(-2))
        return h + self.alpha * self.down(F.gelu(self.up(self.middle(h))))


class Transformer(nn.Module):
    """Pre-norm; ``alpha`` in front of every branch, ``scale`` in front of the readout."""

    def __init__(
        self, width, depth, *, alpha=1.0, scale=1.0, inner=4, linear=nn.Linear, readout=None
    ):
        super().__init__()
        self.scale = scale
        self.embed = nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList(
            Block(width, inner * width, alpha, linear) for _ in range(depth)
        )
        self.last = nn.LayerNorm(width)
        self.read = (readout or linear)(width, TOKENS)

    def forward(self, tokens):
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h)
        return self.read(self.last(h) * self.scale)


def ratios(width, depth):
    return width / BASE_WIDTH, depth / BASE_DEPTH


def kinds(model):
    """The parameters as most codes sort them: maps of the blocks, the readout, the rest."""
    hidden = [p for n, p in model.named_parameters() if "blocks" in n and p.ndim == 2]
    chosen = {id(p) for p in [*hidden, model.read.weight]}
    return hidden, [model.read.weight], [p for p in model.parameters() if id(p) not in chosen]


def draw(model, hidden, readout, embedding=0.02):
    """Gaussian starts, and biases of zero."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            std = hidden if "blocks" in name else readout if "read" in name else embedding
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def pytorch_defaults(width, depth):
    """Nobody thought of the size."""
    model = Transformer(width, depth)
    return model, torch.optim.AdamW(model.parameters(), lr=RATE)


def gpt2_start(width, depth):
    """Everything from N(0, 0.02²), the last map of each branch smaller by 1/√(2L); one rate."""
    model = Transformer(width, depth)
    draw(model, 0.02, 0.02)
    for block in model.blocks:
        for last in (block.out, block.down):
            nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * depth))
    return model, torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1)


def width_alone(width, depth):
    """μP for Adam in the form with a multiplier in front of the logits; decay as η·λ."""
    r_n, _ = ratios(width, depth)
    model = Transformer(width, depth, scale=1 / r_n)
    draw(model, 0.02 / math.sqrt(r_n), 0.02)
    hidden, readout, rest = kinds(model)
    groups = [
        {"params": hidden, "lr": RATE / r_n, "weight_decay": 0.1 * r_n, "eps": 1e-8 / r_n},
        {"params": [*readout, *rest], "lr": RATE, "weight_decay": 0.1, "eps": 1e-8 / r_n},
    ]
    return model, torch.optim.AdamW(groups)


def complete_p(width, depth, *, epsilon_of_ends_in_depth=1.0, alpha=1.0):
    """CompleteP (dey2025) with α = 1: branches and hidden ε over L; Table 1 of the paper.

    Its public code divides the ε of the embedding, the readout and the last gain by r_L as well.
    """
    r_n, r_L = ratios(width, depth)
    model = Transformer(width, depth, scale=1 / r_n, alpha=r_L**-alpha)
    draw(model, 0.02 / math.sqrt(r_n), 0.02)
    inside = {id(p) for p in model.blocks.parameters()}
    hidden, readout, rest = kinds(model)
    ends = [p for p in [*readout, *rest] if id(p) not in inside]
    vectors = [p for p in rest if id(p) in inside]
    at_ends = 1e-8 / r_n / r_L**epsilon_of_ends_in_depth
    in_depth = r_L ** (alpha - 1)
    groups = [
        {
            "params": hidden,
            "lr": RATE / r_n * in_depth,
            "weight_decay": 0.1 * r_n,
            "eps": 1e-8 / r_n / r_L**alpha,
        },
        {"params": vectors, "lr": RATE * in_depth, "eps": 1e-8 / r_n / r_L**alpha},
        {"params": ends, "lr": RATE, "eps": at_ends},
    ]
    return model, torch.optim.AdamW(groups, weight_decay=0.0)


def complete_p_as_solved(width, depth):
    return complete_p(width, depth, epsilon_of_ends_in_depth=0.0)


def depth_mup(width, depth):
    """Depth-μP (yang2024), made for one map in a branch, on branches of two."""
    return complete_p(width, depth, epsilon_of_ends_in_depth=0.0, alpha=0.5)


class UnitLinear(nn.Linear):
    """u-μP (arXiv 2407.17465): entries of size one, and 1/√fan_in in the forward pass."""

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out, bias=False)

    def reset_parameters(self):
        nn.init.normal_(self.weight)

    def forward(self, x):
        return super().forward(x) / math.sqrt(self.in_features)


class UnitReadout(UnitLinear):
    def forward(self, x):
        return nn.Linear.forward(self, x) / self.in_features


def unit_mup(width, depth):
    """u-μP's rates for Adam: 1/√fan_in hidden, 1 for the readout, 1/√n for the embedding."""
    model = Transformer(
        width, depth, linear=UnitLinear, readout=UnitReadout, alpha=1 / math.sqrt(depth)
    )
    nn.init.normal_(model.embed.weight)
    groups = []
    for name, parameter in model.named_parameters():
        rate = RATE
        if "blocks" in name and parameter.ndim == 2:
            rate /= math.sqrt(parameter.shape[1]) * math.sqrt(depth)
        elif "embed" in name:
            rate /= math.sqrt(width)
        groups.append({"params": [parameter], "lr": rate})
    return model, torch.optim.AdamW(groups, weight_decay=0.0, eps=1e-30)


def per_layer_sp(width, depth):
    """The standard start with a rate for each layer, as full alignment asks (arXiv 2407.05872)."""
    r_n, _ = ratios(width, depth)
    model = Transformer(width, depth)
    draw(model, 0.02 / math.sqrt(r_n), 0.02 / math.sqrt(r_n))
    hidden, readout, rest = kinds(model)
    groups = [{"params": [*hidden, *readout], "lr": RATE / r_n}, {"params": rest, "lr": RATE}]
    return model, torch.optim.AdamW(groups, weight_decay=0.0)


def with_mup(optimizer):
    def build(width, depth):
        def sized(width):
            return Transformer(width, depth, readout=mup.MuReadout)

        model = mup.set_base_shapes(sized(width), sized(BASE_WIDTH), delta=sized(2 * BASE_WIDTH))
        for parameter in model.parameters():
            if parameter.ndim == 2:
                mup.init.normal_(parameter, std=0.02)
        return model, optimizer(model.parameters(), lr=RATE)

    return build


mup_adam = with_mup(mup.MuAdamW)
mup_sgd = with_mup(mup.MuSGD)


class OwnMuon(torch.optim.Muon):
    """As many write it: a step that has its own factor of the shape, and names none."""

    def __init__(self, params, **options):
        super().__init__(params, **options)
        for group in self.param_groups:
            del group["adjust_lr_fn"]


def muon(make, rate=lambda r_n: 1.0):
    """Muon on the blocks' maps, AdamW on the rest; α and the readout as the rule k ≥ 2 has them.

    Args:
        make: From the maps and their rate to Muon.
        rate: What its rate is multiplied by, from r_n.
    """

    def build(width, depth):
        r_n, r_L = ratios(width, depth)
        model = Transformer(width, depth, alpha=1 / r_L, scale=1 / r_n)
        draw(model, 0.02 / math.sqrt(r_n), 0.02)
        inside = {id(p) for p in model.blocks.parameters()}
        hidden, readout, rest = kinds(model)
        vectors = [p for p in rest if id(p) in inside]
        ends = [p for p in [*readout, *rest] if id(p) not in inside]
        groups = [
            {"params": vectors, "eps": 1e-8 / r_n / r_L},
            {"params": ends, "eps": 1e-8 / r_n},
        ]
        other = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.0)
        return model, [make(hidden, RATE * rate(r_n)), other]

    return build


def torch_muon(adjust_lr_fn):
    return lambda maps, rate: torch.optim.Muon(
        maps, lr=rate, adjust_lr_fn=adjust_lr_fn, weight_decay=0.0
    )


def own_muon(maps, rate):
    return OwnMuon(maps, lr=rate, weight_decay=0.0)


def with_fault(build, pattern, number, exponent):
    """A recipe with one number of one parameter wrong by a power of the width."""

    def faulty(width, depth):
        factor = ratios(width, depth)[0] ** exponent
        model, optimizers = build(width, depth)
        several = optimizers if isinstance(optimizers, list) else [optimizers]
        for name, parameter in model.named_parameters():
            if not fnmatchcase(name, pattern):
                continue
            if number == "start":
                parameter.data.mul_(factor)
            else:
                _change(
                    several, parameter, {"learning_rate": "lr", "epsilon": "eps"}[number], factor
                )
        return model, optimizers

    return faulty


def _change(optimizers, parameter, key, factor):
    for optimizer in optimizers:
        for group in list(optimizer.param_groups):
            if any(p is parameter for p in group["params"]):
                group["params"] = [p for p in group["params"] if p is not parameter]
                optimizer.add_param_group(
                    {**group, "params": [parameter], key: group[key] * factor}
                )
