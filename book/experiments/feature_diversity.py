"""Chapter 8: do neighbouring blocks of a trained network repeat one another?

One-map networks learn digits along the line α + γ = 1, on which updates keep their size. Two things
are followed over depth. How far the stream moves in a part ε of the blocks: like ε^½ where every
block adds something of its own, like ε where neighbours repeat one another. And how alike the
gradients of neighbouring blocks are, which is a matter of the non-linearity and of its place.
"""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from experiments.declared import Constant, Experiment
from experiments.instruments.networks import KEPT, WIDTH, base_of, centred, depthwise
from experiments.reading.phases import mean_square_increments
from specmup.data.images import digits
from specmup.models.resnet import ResNet, build
from specmup.runs.results import significant
from specmup.training.resnet import replica_optimizer, train
from specmup.training.scaling import Base, Settings, scale

BATCH_SIZE, SAMPLES, RATE = 32, 32, 2.0**-8

# On the line α + γ = 1 with one network, and at α = γ = ½ with others.
LINE = [("abs", "post", alpha) for alpha in ("1/2", "5/8", "3/4", "1")]
OTHERS = [
    *(("relu", "post", "1/2"), ("linear", "post", "1/2")),
    *(("abs", "pre", "1/2"), ("relu", "pre", "1/2")),
]


def train_and_measure(
    *, activation: str, placement: str, alpha: str, depth: int, seeds: list[int], steps: int
) -> pd.DataFrame:
    """Increments of the stream and likeness of gradients, before and after training.

    Columns: activation, placement, alpha, depth, seed, steps (0 is the start), loss (of the batch
    of that step), ``likeness`` (cosine of the gradients of neighbouring blocks, averaged over
    blocks), ``stride`` s, ``part`` ε = s/L, and ``increment``, the RMS size of h_{l+s} − h_l over
    all l.
    """
    task = digits()
    settings = scale(
        depthwise(alpha, 1 - Fraction(alpha)), base(activation), width=WIDTH, depth=depth
    )
    model = build(centred(WIDTH, depth, activation, placement=placement), settings, seeds)
    x, frames = task.train_x[:SAMPLES], []

    def measure(step: int, model: ResNet) -> None:
        if step not in (0, steps):
            return
        with torch.no_grad():
            strides, squares = mean_square_increments(model.features(x))
        assert model.hidden.grad is not None  # of the backward pass of this step
        likeness = neighbour_likeness(model.hidden.grad).tolist()
        for stride, square in zip(strides.int().tolist(), squares, strict=True):
            columns = {"increment": square.sqrt().tolist(), "likeness": likeness}
            about = {"steps": step, "stride": stride, "part": stride / depth}
            frames.append(pd.DataFrame({"seed": seeds, **about, **columns}))

    losses = train(
        model,
        replica_optimizer(model, settings, "adamw"),
        task,
        steps=steps + 1,  # the last update is not looked at
        batch_size=BATCH_SIZE,
        seeds=seeds,
        on_step=measure,
        progress=False,
    )
    frame = pd.concat(frames, ignore_index=True)
    loss = [
        losses[step, seeds.index(seed)].item()
        for step, seed in zip(frame.steps, frame.seed, strict=True)
    ]
    frame = significant(frame.assign(loss=loss), digits=5)
    return frame.assign(
        activation=activation, placement=placement, alpha=float(Fraction(alpha)), depth=depth
    )


def neighbour_likeness(gradients: Tensor) -> Tensor:
    """Cosine between the gradients (R, L, 1, n, n) of blocks l and l+1, averaged over l: (R,)."""
    flat = gradients.flatten(2)
    return cosine_similarity(flat[:, 1:], flat[:, :-1], dim=-1).mean(-1)


def base(activation: str) -> Base:
    """A single block whose branch starts as large as the stream, whatever the activation."""
    std = (WIDTH * KEPT[activation]) ** -0.5
    return base_of(1, Settings(std=std, learning_rate=RATE, epsilon=1e-12), RATE)


_TRAINING = {"seeds": Constant([0, 1, 2, 3, 4]), "steps": 30}
EXPERIMENT = Experiment(
    point=train_and_measure,
    version=1,
    keys=("activation", "placement", "alpha", "depth", "seed", "steps", "stride"),
    compared=("increment",),
    scales={
        "quick": {
            "depth": 64,
            "activation, placement, alpha": [LINE[0], LINE[-1], OTHERS[-1]],
            "seeds": Constant([0, 1]),
            "steps": 30,
        },
        "reference": [
            {"depth": depths, "activation, placement, alpha": networks, **_TRAINING}
            for depths, networks in (([64, 256, 1024, 2048], LINE), ([64, 256, 1024], OTHERS))
        ],
    },
)
