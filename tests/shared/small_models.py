"""Small models of other people's architectures, built at the sizes that a test asks for."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class NanoConfig:
    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 32
    vocab_size: int = 40
    block_size: int = 16


class LayerNorm(nn.Module):
    """With an optional bias, as nanoGPT has it."""

    def __init__(self, n):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(n)), None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias)


class NanoAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.n_head
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)

    def forward(self, x):
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, -1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


class NanoMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=False)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=False)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x)))


class NanoBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1, self.ln_2 = LayerNorm(config.n_embd), LayerNorm(config.n_embd)
        self.attn, self.mlp = NanoAttention(config), NanoMLP(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class NanoGPT(nn.Module):
    """The head is made first and the embedding tied to it, as in nanoGPT."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "h": nn.ModuleList(NanoBlock(config) for _ in range(config.n_layer)),
                "ln_f": LayerNorm(config.n_embd),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight

    def forward(self, tokens):
        positions = torch.arange(tokens.shape[-1])
        x = self.transformer["wte"](tokens) + self.transformer["wpe"](positions)
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))


class Residual(nn.Module):
    """An architecture that no family knows: names of its own, a convolution before the blocks."""

    def __init__(self, width, depth, outputs=5):
        super().__init__()
        self.stem = nn.Linear(6, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "pre": nn.LayerNorm(width),
                    "widen": nn.Linear(width, 2 * width),
                    "narrow": nn.Linear(2 * width, width),
                }
            )
            for _ in range(depth)
        )
        self.last = nn.LayerNorm(width)
        self.classes = nn.Linear(width, outputs)

    def forward(self, x):
        h = self.stem(x)
        for layer in self.layers:
            h = h + layer["narrow"](F.relu(layer["widen"](layer["pre"](h))))
        return self.classes(self.last(h))


@pytest.fixture
def nano_gpt():
    """Factory of a nanoGPT-style model: ``nano_gpt(n_embd=32, n_layer=2)``."""
    return lambda **sizes: NanoGPT(NanoConfig(**sizes))


@pytest.fixture
def residual():
    """Factory of an unfamiliar residual network: ``residual(width, depth)``."""
    return Residual


@pytest.fixture
def hugging_face():
    """Factory of a Hugging Face language model: ``hugging_face("llama", hidden_size=64, …)``."""
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()

    def build(model_type, **sizes):
        config = transformers.AutoConfig.for_model(model_type, **{"vocab_size": 60} | sizes)
        return transformers.AutoModelForCausalLM.from_config(config)

    return build
