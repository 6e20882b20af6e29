"""Two models that specmup has no code for, as readers bring them, and a plain loop to train them.

``llama`` is one of Hugging Face's, made from a configuration; it learns the bytes of a text.
``residual`` is written by hand in PyTorch; it learns the last decimal of the sum of two digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from specmup.data.images import batch_order, digit_sums
from specmup.data.text import king_james
from specmup.probes.followed import output_of
from specmup.streams import stream
from specmup.training.recipe import Recipe

HEAD = 8
BYTES, CONTEXT, WINDOWS = 256, 32, 256
PAIR, DECIMALS = 128, 10
BETAS = (0.9, 0.95)

Batch = tuple[Tensor, Tensor]


def llama(width: int, depth: int) -> PreTrainedModel:
    """A Llama of Hugging Face: grouped queries, gated MLPs, no tie; random, nothing is loaded."""
    config = LlamaConfig(
        vocab_size=BYTES,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=depth,
        num_attention_heads=width // HEAD,
        num_key_value_heads=width // (2 * HEAD),
        max_position_embeddings=CONTEXT,
        attn_implementation="eager",
        use_cache=False,
    )
    return LlamaForCausalLM(config)


class Block(nn.Module):
    """x + down(relu(up(norm(x))))."""

    def __init__(self, width: int) -> None:
        """Maps to twice the width and back."""
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The stream (…, n) behind the block."""
        return x + self.down(F.relu(self.up(self.norm(x))))


class Residual(nn.Module):
    """A network of one's own, normalised in front of each branch, with PyTorch's own start."""

    def __init__(self, width: int, depth: int) -> None:
        """Blocks, between a map of the pixels and one to the decimals."""
        super().__init__()
        self.enter = nn.Linear(PAIR, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, DECIMALS)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (…, 10) for pairs of images (…, 128)."""
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        return self.leave(self.norm(x))


@dataclass(frozen=True)
class Brought:
    """A model, and how it is trained.

    Args:
        build: Makes it at a width and depth.
        batches: What a seed trains on, in order.
        held_out: Samples to choose by, and samples to report.
        recipe: Length, batch and schedule.
        declared: What a plan cannot know of it.
    """

    build: Callable[[int, int], nn.Module]
    batches: Callable[[int], Iterator[Batch]]
    held_out: Callable[[], Mapping[str, Batch]]
    recipe: Recipe
    declared: Mapping[str, Any] = field(default_factory=dict)

    def made(self, width: int, depth: int, seed: int = 0) -> nn.Module:
        """The model as it starts of itself, from a stream of the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(stream("weights", seed).get_state())
            return self.build(width, depth)

    def train(self, model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        """Follow the recipe; nothing here knows of a plan."""
        schedule = LambdaLR(optimizer, self.recipe.factor)
        for x, y in self.batches(seed):
            optimizer.zero_grad()
            loss_of(model, x, y).backward()
            optimizer.step()
            schedule.step()

    @torch.no_grad()
    def losses(self, model: nn.Module) -> dict[str, float]:
        """On held-out samples, by their name; ``inf`` if a loss is not finite."""
        found = {name: loss_of(model, *batch).item() for name, batch in self.held_out().items()}
        return {name: loss if math.isfinite(loss) else math.inf for name, loss in found.items()}

    def flops(self, width: int, depth: int) -> int:
        """Operations of all forward and backward passes of a run, as PyTorch counts them."""
        model, batch = self.made(width, depth), next(self.batches(0))
        with FlopCounterMode(display=False) as counter:
            loss_of(model, *batch).backward()
        return counter.get_total_flops() * self.recipe.steps


def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of the model's output at targets y."""
    return F.cross_entropy(output_of(model(x)).flatten(0, -2), y.flatten())


def _text_batches(seed: int) -> Iterator[Batch]:
    text, recipe = king_james(BYTES), MODELS["llama"].recipe
    for starts in text.training_windows(CONTEXT, recipe.batch_size, recipe.steps, seed):
        yield text.windows("train", starts, CONTEXT)


@cache
def _text_held_out() -> Mapping[str, Batch]:
    """Every other window to choose by."""
    text = king_james(BYTES)
    starts = text.fixed_windows(CONTEXT, 2 * WINDOWS)
    chosen = {"loss": starts[::2], "test_loss": starts[1::2]}
    return {name: text.windows("val", some, CONTEXT) for name, some in chosen.items()}


_pairs = cache(digit_sums)


def _pair_batches(seed: int) -> Iterator[Batch]:
    task, recipe = _pairs(), MODELS["residual"].recipe
    for chosen in batch_order(len(task.train_x), recipe.batch_size, recipe.steps, seed):
        yield task.train_x[chosen], task.train_y[chosen]


def _pairs_held_out() -> Mapping[str, Batch]:
    (x, y), half = _pairs().part("test"), len(_pairs().test_y) // 2
    return {"loss": (x[:half], y[:half]), "test_loss": (x[half:], y[half:])}


MODELS: Mapping[str, Brought] = {
    "llama": Brought(llama, _text_batches, _text_held_out, Recipe(150, 8, warm_up=15)),
    "residual": Brought(
        Residual,
        _pair_batches,
        _pairs_held_out,
        Recipe(200, 32, warm_up=20),
        {"branch_ends": ["down"], "block_depth": 2},
    ),
}
