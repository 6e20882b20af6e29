"""Chapter 16: the coordinate check of a GPT, by training step, over width and over depth.

Small GPTs take ten steps on real text at constant learning rates. Followed are the residual stream
after the last block, the attention logits of the last block, the output, and the four maps of the
last block's attention. Beside the rules stands ``gpt2``: the standard parametrization's learning
rates with the start that GPT-2 is known for, one standard deviation at every width and the last map
of each branch divided by √(2L).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments import small_gpt
from experiments.declared import Experiment, sizes
from experiments.instruments.gpt_steps import LEARNING_RATE, probe, rms, trained
from experiments.instruments.rows import labelled
from experiments.small_gpt import BASE_DEPTH, BASE_WIDTH, HEAD_DIMENSION, STD, planned
from specmup.models.gpt import GPT, GPTShape
from specmup.norms import or_inf, rms_operator_norm
from specmup.probes.followed import followed
from specmup.sweeps.run import RULES as OF_SWEEPS

# What make_plan is told of a rule.
RULES: Mapping[str, Mapping] = {**OF_SWEEPS, "gpt2": OF_SWEEPS["sp"]}
# How heads grow with the width, and what their logits are multiplied by.
HEADS = {"more": "1/sqrt(d)", "larger": "1/sqrt(d)", "larger, 1/d": "1/d"}
MAPS = ("query", "key", "value", "out")


def train_and_follow(
    *,
    rule: str,
    width: int,
    depth: int,
    seed: int,
    optimizer: str = "adamw",
    normalisation: str = "layernorm",
    heads: str = "more",
) -> pd.DataFrame:
    """One run: the rows of every step.

    Columns: optimizer, normalisation, heads (of :data:`HEADS`), rule, width, depth, seed, step (0
    is the start), followed, ``size``, and ``change``, the size of the difference from the start.
    Sizes of ``stream``, ``attention``, ``logits`` and ``loss`` on fixed held-out windows are root
    mean squares over all entries; those of ``query``, ``key``, ``value`` and ``out``, the last
    block's maps, are RMS operator norms. What is not finite is ``inf``.
    """
    model = GPT(shape(width, depth, normalisation, heads))
    base = shape(BASE_WIDTH, BASE_DEPTH, normalisation, heads)
    rate = LEARNING_RATE[optimizer]
    trainer = planned(model, base, optimizer, seed, learning_rate=rate, **RULES[rule])
    if rule == "gpt2":
        start_as_gpt2(model)
    rows = pd.DataFrame(_follow(model, trainer, seed))
    about = {"optimizer": optimizer, "normalisation": normalisation, "heads": heads, "rule": rule}
    return labelled(rows, **about, width=width, depth=depth, seed=seed)


def shape(
    width: int, depth: int, normalisation: str = "layernorm", heads: str = "more"
) -> GPTShape:
    """The GPT of a size; where heads are larger, there are as many as the base has."""
    larger = heads != "more"
    return small_gpt.shape(
        *(width, depth, normalisation),
        head_dimension=HEAD_DIMENSION * width // BASE_WIDTH if larger else HEAD_DIMENSION,
        attention_scale=HEADS[heads],
    )


@torch.no_grad()
def start_as_gpt2(model: GPT) -> None:
    """Give every matrix the standard deviation 0.02, and 0.02/√(2L) where it ends a branch.

    The draw stays the same but for its size, so runs of one seed can be compared.
    """
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        ends_branch = name.endswith(("attention.out.weight", "mlp.down.weight"))
        std = STD / (2 * model.shape.depth) ** 0.5 if ends_branch else STD
        parameter.mul_(std / parameter.std())


def _follow(model: GPT, trainer: torch.optim.Optimizer, seed: int) -> Iterator[dict]:
    """A row a step and followed thing."""
    x, y = probe()
    measures: tuple[Callable[[Tensor], Tensor], ...] = rms, rms_operator_norm
    start = None
    for step in trained(model, trainer, seed):
        now = _features(model, x, y), _maps(model)
        start = start or now
        for of_now, of_start, size in zip(now, start, measures, strict=True):
            for name, value in of_now.items():
                sizes = {"size": size(value), "change": size(value - of_start[name])}
                finite = {k: or_inf(v).item() for k, v in sizes.items()}
                yield {"step": step, "followed": name, **finite}


@torch.no_grad()
def _features(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Stream, attention logits (of pairs that the mask lets through), logits and loss, copied."""
    found = followed(model, x)
    queries, keys = torch.tril_indices(x.shape[-1], x.shape[-1])
    return {
        "stream": found["last"].clone(),
        "attention": found["attention"][..., queries, keys],
        "logits": found["logits"],
        "loss": F.cross_entropy(found["logits"].flatten(0, 1), y.flatten()),
    }


def _maps(model: GPT) -> dict[str, Tensor]:
    """The maps of the last block's attention, copied."""
    attention = model.blocks[-1].attention
    return {name: getattr(attention, name).weight.detach().clone() for name in MAPS}


_BASE = BASE_WIDTH, BASE_DEPTH
_USUAL = {"optimizer": "adamw", "normalisation": "layernorm", "heads": "more"}
_WIDE = {"width, depth": sizes(_BASE, widths=[32, 64, 128, 256, 512]), "seed": [0, 1, 2]}
_DEEP = {"width, depth": sizes(_BASE, depths=[2, 4, 8, 16, 32]), "seed": [0, 1, 2]}
_KEYS = (
    "optimizer",
    "normalisation",
    "heads",
    "rule",
    "width",
    "depth",
    "seed",
    "step",
    "followed",
)
EXPERIMENT = Experiment(
    point=train_and_follow,
    version=1,
    keys=_KEYS,
    compared=("change",),
    smallest_first=True,
    rounded=True,
    scales={
        "quick": [
            {**_USUAL, "rule": ["sp", "k2"], "width": [32, 64], "depth": BASE_DEPTH, "seed": 0},
            {**_USUAL, "rule": ["sp", "k1", "k2"], "width": BASE_WIDTH, "depth": 4, "seed": 0},
        ],
        "reference": [
            # At the base's depth k1 says what k2 says, and at its width more heads are larger ones.
            *(
                {**_USUAL, "optimizer": optimizer, "normalisation": norm, "rule": rules, **swept}
                for norm in ("layernorm", "none")
                for optimizer, rules, swept in (
                    ("adamw", ["sp", "gpt2", "k1", "k2"], _DEEP),
                    ("adamw", ["sp", "gpt2", "k2"], _WIDE),
                    ("muon-kimi", ["sp", "k1", "k2"], _DEEP),
                    ("muon-kimi", ["sp", "k2"], _WIDE),
                )
            ),
            {**_USUAL, "heads": ["larger", "larger, 1/d"], "rule": "k2", **_WIDE},
        ],
    },
)
