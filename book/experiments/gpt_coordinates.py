"""Chapter 14: the coordinate check of a GPT, by training step, over width and over depth.

Small GPTs take ten steps on real text at constant learning rates. Followed are the residual stream
after the last block, the attention logits of the last block, the output, and the four maps of the
last block's attention. Beside the rules stands ``gpt2``: the standard parametrization's learning
rates with the start that GPT-2 is known for, one standard deviation at every width and the last map
of each branch divided by √(2L).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specmup.data.text import king_james
from specmup.models.gpt import GPT, GPTShape
from specmup.norms import or_inf, rms_norm, rms_operator_norm
from specmup.parametrization.plan import make_plan
from specmup.probes.coordinate_check import cross_entropy, followed
from specmup.runs.experiment import ExperimentResult, run_experiment

VOCABULARY, CONTEXT = 1024, 64
BASE_WIDTH, BASE_DEPTH, HEAD_DIMENSION = 64, 2, 16
STD, EPSILON = 0.02, 1e-16
STEPS, BATCH_SIZE, PROBED_WINDOWS = 10, 8, 4
OPTIONS: Mapping[str, Mapping] = {
    "adamw": {"betas": (0.9, 0.95)},
    "muon-kimi": {"companion": {"betas": (0.9, 0.95)}},
}
# Of the base. The loss falls from the first step to the last, and a step of either optimizer moves
# the hidden matrices about as far.
LEARNING_RATE = {"adamw": 2.0**-9, "muon-kimi": {"hidden": 2.0**-5, "*": 2.0**-9}}

RULES: Mapping[str, Mapping] = {
    "sp": {"parametrization": "sp"},
    "gpt2": {"parametrization": "sp"},
    "k1": {"block_depth": 1},
    "k2": {"block_depth": 2},
}
# How heads grow with the width, and what their logits are multiplied by.
HEADS = {
    "more": "1/sqrt(d)",
    "larger": "1/sqrt(d)",
    "larger, 1/d": "1/d",
}
MAPS = ("query", "key", "value", "out")

WIDTHS, DEPTHS = [32, 64, 128, 256, 512], [2, 4, 8, 16, 32]
SCALES: Mapping[str, Mapping] = {
    "quick": {
        "cases": [
            {"rules": ["sp", "k2"], "widths": [32, 64], "seeds": 1},
            {"rules": ["sp", "k1", "k2"], "depths": [4], "seeds": 1},
        ],
    },
    "reference": {
        "cases": [
            # At the base's depth k1 says what k2 says, and at its width more heads are larger ones.
            *(
                {"optimizer": optimizer, "rules": rules, "normalisation": norm, "seeds": 3} | sizes
                for norm in ("layernorm", "none")
                for optimizer, rules, sizes in (
                    ("adamw", ["sp", "gpt2", "k1", "k2"], {"depths": DEPTHS}),
                    ("adamw", ["sp", "gpt2", "k2"], {"widths": WIDTHS}),
                    ("muon-kimi", ["sp", "k1", "k2"], {"depths": DEPTHS}),
                    ("muon-kimi", ["sp", "k2"], {"widths": WIDTHS}),
                )
            ),
            *(
                {"rules": ["k2"], "widths": WIDTHS, "heads": heads, "seeds": 3}
                for heads in ("larger", "larger, 1/d")
            ),
        ],
    },
}

# Raised when the same job comes to give other rows.
VERSION = 1
# What tells rows apart, and what a slice that is made again is compared by.
KEYS = ("optimizer", "normalisation", "heads", "rule", "width", "depth", "seed", "step", "followed")
COMPARED = ("change",)


def run(scale_name: str, folder: Path | None = None, workers: int = 1) -> ExperimentResult:
    """Every run of a scale.

    Columns: optimizer, normalisation, heads (of :data:`HEADS`), rule, width, depth, seed, step (0
    is the start), followed, ``size``, and ``change``, the size of the difference from the start.
    Sizes of ``stream``, ``attention``, ``logits`` and ``loss`` on fixed held-out windows are root
    mean squares over all entries; those of ``query``, ``key``, ``value`` and ``out``, the last
    block's maps, are RMS operator norms. What is not finite is ``inf``.
    """
    jobs = [
        {
            "optimizer": case.get("optimizer", "adamw"),
            "normalisation": case.get("normalisation", "layernorm"),
            "heads": case.get("heads", "more"),
            "rule": rule,
            "width": width,
            "depth": depth,
            "seed": seed,
        }
        for case in SCALES[scale_name]["cases"]
        for rule in case["rules"]
        for width, depth in _sizes(case)
        for seed in range(case["seeds"])
    ]
    jobs = list({tuple(job.values()): job for job in jobs}.values())  # the base is on both axes
    jobs.sort(key=lambda job: job["width"] ** 2 * job["depth"])
    made = run_experiment(train_and_follow, jobs, VERSION, folder=folder, workers=workers)
    return made.rounded()


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
    """One run: the rows of every step."""
    about = {
        "optimizer": optimizer,
        "normalisation": normalisation,
        "heads": heads,
        "rule": rule,
        "width": width,
        "depth": depth,
        "seed": seed,
    }
    model = GPT(shape(width, depth, normalisation, heads))
    base = shape(BASE_WIDTH, BASE_DEPTH, normalisation, heads)
    trainer = planned(model, base, optimizer, seed, **RULES[rule])
    if rule == "gpt2":
        start_as_gpt2(model)
    rows = pd.DataFrame(_follow(model, trainer, seed))
    return rows.assign(**about)[[*about, *rows.columns]]


def planned(model: GPT, base: GPTShape, optimizer: str, seed: int, **rule) -> torch.optim.Optimizer:
    """Draw the model's weights by a plan from the base; the optimizer with the plan's numbers."""
    plan = make_plan(
        model,
        base=lambda: GPT(base),
        optimizer=optimizer,
        learning_rate=LEARNING_RATE[optimizer],
        std=STD,
        epsilon=EPSILON,
        **rule,
    )
    plan.initialise(model, seed)
    return plan.optimizer(model, **OPTIONS[optimizer])


def trained(model: GPT, trainer: torch.optim.Optimizer, seed: int) -> Iterator[int]:
    """Train, and stop to be looked at: the number of steps made, from 0 to :data:`STEPS`."""
    text = king_james(VOCABULARY)
    windows = text.training_windows(CONTEXT, BATCH_SIZE, STEPS, seed)
    yield 0
    for step in range(1, STEPS + 1):
        trainer.zero_grad()
        cross_entropy(model, *text.windows("train", windows[step - 1], CONTEXT)).backward()
        trainer.step()
        yield step


def probe() -> tuple[Tensor, Tensor]:
    """Fixed held-out windows to look at models on: tokens and next tokens, each (B, T)."""
    text = king_james(VOCABULARY)
    return text.windows("val", text.fixed_windows(CONTEXT, PROBED_WINDOWS), CONTEXT)


def shape(
    width: int, depth: int, normalisation: str = "layernorm", heads: str = "more"
) -> GPTShape:
    """The GPT of a size; where heads are larger, there are as many as the base has."""
    larger = heads != "more"
    return GPTShape(
        VOCABULARY,
        CONTEXT,
        width,
        depth,
        head_dimension=HEAD_DIMENSION * width // BASE_WIDTH if larger else HEAD_DIMENSION,
        normalisation=normalisation,
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


def _sizes(case: Mapping) -> list[tuple[int, int]]:
    """Widths at the base depth, or depths at the base width."""
    wide = [(width, BASE_DEPTH) for width in case.get("widths", [])]
    return wide + [(BASE_WIDTH, depth) for depth in case.get("depths", [])]


def _follow(model: GPT, trainer: torch.optim.Optimizer, seed: int) -> Iterator[dict]:
    """A row a step and followed thing."""
    x, y = probe()
    start = None
    for step in trained(model, trainer, seed):
        now = _features(model, x, y), _maps(model)
        start = start or now
        for of_now, of_start, size in zip(now, start, (rms, rms_operator_norm), strict=True):
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


def rms(h: Tensor) -> Tensor:
    """Root mean square () of all entries, summed up in double precision."""
    return rms_norm(h.double().flatten())
