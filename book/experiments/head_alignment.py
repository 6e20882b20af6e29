"""Chapter 16: how far queries and keys point the same way, over the dimension of a head.

At one width GPTs with fewer and larger heads take the ten steps of
:mod:`experiments.gpt_coordinates`, with logits scaled by 1/d. The logits of the last block
are taken apart by what has moved since the start,

    q·k = q₀·k₀ + Δq·k₀ + q₀·Δk + Δq·Δk,

and of each term the cosine is kept: 1 for vectors that point the same way, about d^-1/2 for
vectors of dimension d that have nothing to do with one another.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor

from experiments.declared import Experiment
from experiments.instruments.gpt_steps import LEARNING_RATE, probe, rms, trained
from experiments.instruments.rows import labelled
from experiments.small_gpt import BASE_WIDTH, planned, shape
from specmup.models.decoder import Block
from specmup.models.gpt import GPT, Attention

WIDTH, DEPTH = 256, 2
Row = dict[str, float | str]

TERMS = ("start", "query moved", "key moved", "both moved", "all")


def train_and_take_apart(*, optimizer: str, head_dimension: int, seed: int) -> pd.DataFrame:
    """One run: the rows of every step.

    Columns: optimizer, head_dimension, seed, step, term (of :data:`TERMS`), ``cosine``, and
    ``size``, the root mean square of the term over all pairs that the mask lets through. Terms that
    hold a move are there from step 1 on.
    """
    about = {"optimizer": optimizer, "head_dimension": head_dimension, "seed": seed}
    model = GPT(shape(WIDTH, DEPTH, head_dimension=head_dimension, attention_scale="1/d"))
    base = shape(BASE_WIDTH, DEPTH)  # no parameter's shape depends on the heads
    trainer = planned(model, base, optimizer, seed, learning_rate=LEARNING_RATE[optimizer])
    x, _ = probe()
    start, rows = None, list[Row]()
    for step in trained(model, trainer, seed):
        now = queries_and_keys(model, x)
        start = start or now
        rows += terms(start, now, step=step)
    return labelled(pd.DataFrame(rows), **about)


@torch.no_grad()
def queries_and_keys(model: GPT, x: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the last block for tokens x (B, T), each (B, heads, T, d)."""
    *before, last = model.blocks
    assert isinstance(last, Block)
    h = model.embed(x)
    for block in before:
        h = block(h)
    attention = last.attention
    assert isinstance(attention, Attention)
    h, heads = last.attention_norm(h), (attention.shape.heads, -1)
    queries, keys = (
        w(h).unflatten(-1, heads).transpose(1, 2) for w in (attention.query, attention.key)
    )
    return queries, keys


def terms(start: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor], *, step: int) -> Iterator[Row]:
    """Rows for the terms of q·k, of queries and keys (B, heads, T, d) at the start and now."""
    (q0, k0), (q, k) = start, now
    pairs = (q0, k0), (q - q0, k0), (q0, k - k0), (q - q0, k - k0), (q, k)
    for name, (left, right) in zip(TERMS, pairs, strict=True):
        if step == 0 and name.endswith("moved"):
            continue
        cosine, size = cosine_and_size(left, right)
        yield {"step": step, "term": name, "cosine": cosine, "size": size / left.shape[-1]}


def cosine_and_size(queries: Tensor, keys: Tensor) -> tuple[float, float]:
    """Of all causal pairs, (…, T, d) each: the typical cosine, and the typical inner product.

    Both are root mean squares; the cosine is that of the inner product over those of the lengths.
    """
    rows, columns = torch.tril_indices(queries.shape[-2], queries.shape[-2])
    size = rms((queries @ keys.mT)[..., rows, columns])
    lengths = rms(queries.norm(dim=-1)) * rms(keys.norm(dim=-1))
    return (size / lengths).item(), size.item()


EXPERIMENT = Experiment(
    point=train_and_take_apart,
    version=1,
    keys=("optimizer", "head_dimension", "seed", "step", "term"),
    compared=("cosine",),
    rounded=True,
    scales={
        "quick": {"optimizer": "adamw", "head_dimension": [8, 64], "seed": 0},
        "reference": {
            "optimizer": ["adamw", "muon-kimi"],
            "head_dimension": [8, 16, 32, 64, 128, 256],
            "seed": [0, 1, 2],
        },
    },
)
