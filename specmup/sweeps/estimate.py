"""What runs cost before they are run: parameters, FLOPs, memory, and time by what runs took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from statistics import median

import numpy as np
import torch
from scipy.optimize import nnls

from specmup.models.language import Shape, model_of
from specmup.models.llama import LlamaShape
from specmup.runs.job import Record
from specmup.sweeps.run import Run

# Dense bfloat16 FLOP/s of the makers' data sheets, and the part of it that training is taken to
# reach. Small models reach less.
DEVICES = {"a100": 312e12, "h100": 989e12, "h200": 989e12, "rtx4090": 165e12, "l4": 121e12}
UTILISATION = 0.35
NEWTON_SCHULZ_STEPS = 5
# Floats of a block that the backward pass keeps, in units of n a token. Of both models: the stream
# twice, both normalised inputs, q, what attention mixes and its transpose. A GPT: k, v, 4n before
# and after the GELU. A Llama: both turned, k and v repeated for a group, and five times what is
# inside its MLP: gate, up, the gate open, their product and its derivative's part.
KEPT_BY_A_GPT = 17
# Floats a parameter: weights, gradients, what the optimizer keeps, and what its step takes beside.
# Optimizers of matrices add scratch for one matrix at a time, some of them squares for every one.
COPIES = {"adopt": 6, "lamb": 5, "lamb-clamped": 5, "sophia": 7, "sso": 7}
ELEMENTWISE, OF_MATRICES, SCRATCH = 4, 3, 6
SQUARES = {"shampoo": 3, "soap": 3}


def parameters(shape: Shape) -> int:
    """Number of parameters, a tied matrix once."""
    return sum(sum(map(prod, shapes)) for shapes in _tensors(shape).values())


def flops(run: Run) -> float:
    """Floating-point operations of a run's training, its matrix optimizer's included.

    Six a parameter of a matrix and token; for attention 12·L·T·n a token (masked products counted);
    for orthogonalised updates, 4m²p + 2m³ in each of five Newton–Schulz steps of an (m, p) matrix,
    m ≤ p. What Shampoo, SOAP and SSO compute beside the gradient is not counted.
    """
    shape, steps = run.shape, run.recipe.steps
    matrices = [m for m in _tensors(shape)["blocks"] if len(m) == 2]
    readout = shape.vocabulary * shape.width
    a_token = 6 * (sum(map(prod, matrices)) + readout)
    a_token += 12 * shape.depth * shape.context * shape.width
    total = float(run.tokens) * a_token
    if run.optimizer.startswith("muon"):
        total += (
            float(steps)
            * NEWTON_SCHULZ_STEPS
            * sum(4 * min(m) ** 2 * max(m) + 2 * min(m) ** 3 for m in matrices)
        )
    return total


@cache
def _tensors(shape: Shape) -> dict[str, list[torch.Size]]:
    """Shapes of the parameters inside the blocks, and of those outside."""
    with torch.device("meta"):
        model = model_of(shape)
    found: dict[str, list[torch.Size]] = {"blocks": [], "ends": []}
    for name, parameter in model.named_parameters():
        found["blocks" if name.startswith("blocks.") else "ends"].append(parameter.shape)
    return found


def _activations(shape: Shape) -> int:
    """Floats that the backward pass keeps of one token in one block."""
    if isinstance(shape, LlamaShape):
        return (11 + 5 * shape.expansion) * shape.width + 2 * shape.key_value_width
    return KEPT_BY_A_GPT * shape.width


def memory(run: Run) -> float:
    """Bytes that a run takes beside the process: parameters, optimizer and activations."""
    shape, recipe = run.shape, run.recipe
    tokens = recipe.batch_size // recipe.accumulation * shape.context
    kept = shape.depth * _activations(shape) * (0.6 if recipe.autocast else 1.0)
    return 4.0 * (_held(run) + tokens * (kept + 3 * shape.vocabulary))


def _held(run: Run) -> int:
    """Floats that do not depend on the batch: a test holds them against what runs took."""
    total = parameters(run.shape)
    if not run.law.matrices_only:
        return COPIES.get(run.optimizer, ELEMENTWISE) * total
    matrices = [m for m in _tensors(run.shape)["blocks"] if len(m) == 2]
    inside = sum(map(prod, matrices))
    held = COPIES.get(run.optimizer, OF_MATRICES) * inside + ELEMENTWISE * (total - inside)
    squares = sum(rows**2 + columns**2 for rows, columns in matrices)
    return held + SCRATCH * max(map(prod, matrices)) + SQUARES.get(run.optimizer, 0) * squares


@dataclass(frozen=True)
class CostModel:
    """Seconds of a run: so much a step and block, so much a FLOP, times a factor by optimizer.

    Args:
        a_step_and_block: Seconds that a block's calls take, however small it is.
        a_flop: Seconds.
        by_optimizer: What the optimizer's runs took over what the first two say.
        runs: How many finished runs it was fitted to.
    """

    a_step_and_block: float
    a_flop: float
    by_optimizer: dict[str, float]
    runs: int

    def seconds(self, run: Run) -> float:
        """Expected seconds of a run."""
        calls, work = _regressors(run)
        expected = self.a_step_and_block * calls + self.a_flop * work
        return expected * self.by_optimizer.get(run.optimizer, 1.0)

    @classmethod
    def fitted(cls, records: Iterable[Record]) -> CostModel | None:
        """From runs that went to their end; None if there is none.

        Least squares of relative errors under coefficients of at least zero.
        """
        ended = [r for r in records if r.result["diverged_at"] < 0 and r.result["seconds"] > 0]
        if not ended:
            return None
        took = np.array([r.result["seconds"] for r in ended])
        rows = np.array([_regressors(r.job) for r in ended]) / took[:, None]
        scale = rows.max(0)
        solution = nnls(rows / scale, np.ones(len(ended)))[0] / scale
        a_step_and_block, a_flop = map(float, solution)
        over = 1 / (rows @ solution)
        names = [r.job.optimizer for r in ended]
        factors = {n: median(over[[i for i, m in enumerate(names) if m == n]]) for n in set(names)}
        return cls(a_step_and_block, a_flop, by_optimizer=factors, runs=len(ended))


def remaining_seconds(model: CostModel, runs: Sequence[Run], workers: int) -> float:
    """How long the runs will take side by side: no less than the longest of them."""
    each = [model.seconds(run) for run in runs]
    return max([sum(each) / workers, *each], default=0.0)


def device_seconds(runs: Iterable[Run], device: str) -> float:
    """Seconds on a device of :data:`DEVICES`, one run after the other.

    Raises:
        ValueError: If the device is not known.
    """
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}: known are {', '.join(DEVICES)}")
    return sum(flops(run) for run in runs) / (DEVICES[device] * UTILISATION)


def _regressors(run: Run) -> tuple[float, float]:
    return float(run.recipe.steps * run.recipe.accumulation * (run.depth + 1)), flops(run)
