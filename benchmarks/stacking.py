"""A sweep of 22 residual networks: one stacked model against a loop over plain ones."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.harness import Row, median_seconds, threads
from specmup.data.images import digits
from specmup.models.resnet import ResNetShape, build
from specmup.training.learning_rates import ordinary_base
from specmup.training.resnet import replica_optimizer, train

SHAPE = ResNetShape(inputs=64, width=64, depth=32, outputs=10, block_depth=2, activation="relu")
SEEDS = range(22)
RATES = [2.0 ** (-14 + r / 4) for r in range(22)]
RUN = {"steps": 15, "batch_size": 64, "progress": False}
TARGET = 3.0
LARGEST_DIFFERENCE = 1e-4  # in nats after 15 steps, along which rounding grows


def stacked_and_single() -> list[Row]:
    """Two rows: against the loop on as many threads, and against the loop on its best number.

    One small network has too little work for two threads, so the loop is faster on one of them.

    Raises:
        RuntimeError: the two sweeps learn different things, so that the times compare nothing.
    """
    losses = {}

    def stacked() -> None:
        with threads(2):
            losses["stacked"] = train_stacked()

    def loop() -> None:
        with threads(2):
            losses["loop"] = train_one_by_one()

    def loop_on_one_thread() -> None:
        with threads(1):
            train_one_by_one()

    sweeps = {"stack": stacked, "loop": loop, "loop on one thread": loop_on_one_thread}
    seconds = median_seconds(sweeps, repeats=3, warm_up=0)
    difference = float((losses["stacked"] - losses["loop"]).abs().max())
    if not difference <= LARGEST_DIFFERENCE:
        raise RuntimeError(f"stacked and single losses differ by {difference:.1e} on the way")
    return [
        Row(
            name="stacking 22 ResNets",
            compared=f"one stack : {other}, AdamW(fused=True)",
            ratio=seconds[other] / seconds["stack"],
            note=f"{seconds['stack']:.1f} s : {seconds[other]:.1f} s, "
            f"losses within {difference:.0e}",
            target=target,
        )
        for other, target in (("loop", TARGET), ("loop on one thread", None))
    ]


def train_stacked() -> Tensor:
    """Losses (steps, R) of all replicas, trained at once."""
    base = ordinary_base(SHAPE)
    model = build(SHAPE, base.settings, SEEDS)
    settings = [base.at_learning_rate(rate).settings for rate in RATES]
    optimizer = replica_optimizer(model, settings, "adamw")
    return train(model, optimizer, digits(), seeds=SEEDS, **RUN)


def train_one_by_one() -> Tensor:
    """The same losses from plain models, one after the other."""
    data, base = digits(), ordinary_base(SHAPE)
    losses = []
    for seed, rate in zip(SEEDS, RATES, strict=True):
        model = build(SHAPE, base.settings, seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
        losses.append(train(model, optimizer, data, seeds=seed, **RUN))
    return torch.cat(losses, dim=1)


PARTS = {"22 ResNets": stacked_and_single}
