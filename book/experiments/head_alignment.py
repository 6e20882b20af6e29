"""Chapter 14: how far queries and keys point the same way, over the dimension of a head.

At one width GPTs with fewer and larger heads take the ten steps of
:mod:`experiments.gpt_coordinates`, with logits scaled by 1/d. The logits of the last block
are taken apart by what has moved since the start,

    q·k = q₀·k₀ + Δq·k₀ + q₀·Δk + Δq·Δk,

and of each term the cosine is kept: 1 for vectors that point the same way, about d^-1/2 for
vectors of dimension d that have nothing to do with one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from experiments.gpt_coordinates import (
    CONTEXT,
    VOCABULARY,
    planned,
    probe,
    rms,
    shape,
    trained,
)
from specmup.models.gpt import GPT, GPTShape
from specmup.runs.experiment import ExperimentResult, run_experiment

WIDTH, DEPTH = 256, 2
TERMS = ("start", "query moved", "key moved", "both moved", "all")
SCALES: Mapping[str, Mapping] = {
    "quick": {"optimizers": ["adamw"], "head_dimensions": [8, 64], "seeds": 1},
    "reference": {
        "optimizers": ["adamw", "muon-kimi"],
        "head_dimensions": [8, 16, 32, 64, 128, 256],
        "seeds": 3,
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "head_dimension", "seed", "step", "term")
COMPARED = ("cosine",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale.

    Columns: optimizer, head_dimension, seed, step, term (of :data:`TERMS`), ``cosine``, and
    ``size``, the root mean square of the term over all pairs that the mask lets through. Terms that
    hold a move are there from step 1 on.
    """
    scale = SCALES[scale_name]
    jobs = [
        {"optimizer": optimizer, "head_dimension": d, "seed": seed}
        for optimizer in scale["optimizers"]
        for d in scale["head_dimensions"]
        for seed in range(scale["seeds"])
    ]
    made = run_experiment(train_and_take_apart, jobs, VERSION, folder=folder, workers=workers)
    return made.rounded()


def train_and_take_apart(*, optimizer: str, head_dimension: int, seed: int) -> pd.DataFrame:
    """One run: the rows of every step."""
    about = {"optimizer": optimizer, "head_dimension": head_dimension, "seed": seed}
    model = GPT(
        GPTShape(
            VOCABULARY,
            CONTEXT,
            WIDTH,
            DEPTH,
            head_dimension=head_dimension,
            attention_scale="1/d",
        )
    )
    base = shape(64, DEPTH)  # no parameter's shape depends on the heads
    trainer, (x, _) = planned(model, base, optimizer, seed), probe()
    start, rows = None, []
    for step in trained(model, trainer, seed):
        now = queries_and_keys(model, x)
        start = start or now
        rows += terms(start, now, step=step)
    return pd.DataFrame(rows).assign(**about)[[*about, *rows[0]]]


@torch.no_grad()
def queries_and_keys(model: GPT, x: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the last block for tokens x (B, T), each (B, heads, T, d)."""
    *before, last = model.blocks
    h = model.embed(x)
    for block in before:
        h = block(h)
    h, heads = last.attention_norm(h), (last.attention.shape.heads, -1)
    maps = last.attention.query, last.attention.key
    return tuple(w(h).unflatten(-1, heads).transpose(1, 2) for w in maps)


def terms(
    start: tuple[Tensor, Tensor], now: tuple[Tensor, Tensor], *, step: int
) -> Iterator[dict[str, float | str]]:
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
