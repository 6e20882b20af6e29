"""One training step, role by role: how large each update is, and what it changes by itself.

The spectral condition speaks of one parameter at a time: how large ‖ΔW‖_R is, and how far the
features move because of it. So each role's new values are put into the network as it was before
the step, everything else held, and the features are computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch
from torch import Tensor
from torch.linalg import vector_norm

from experiments.instruments.expansion import overall_rms, probed_blocks
from specmup.models.resnet import ResNet
from specmup.norms import or_inf, rms_operator_norm, stable_rank

# An entry within one per cent of the largest counts as held by whatever bounds the entries.
AT_THE_BOUND = 0.99
Size = Literal["update", "change"]
SIZES: tuple[Size, ...] = ("update", "change")  # what a prediction is made for
MEASURED = (*SIZES, "update_rank", "gradient_rank", "bounded", "weight", "gradient")


@dataclass(frozen=True)
class StepSnapshot:
    """A network before a step, and what it computes.

    Args:
        model: A copy that later steps do not move.
        gradients: By role, as the step will use them.
        x: The probe batch, (batch, d) or (R, batch, d).
        last: h_L on the probe batch, (R?, batch, n).
        logits: (R?, batch, c).
    """

    model: ResNet
    gradients: dict[str, Tensor]
    x: Tensor
    last: Tensor
    logits: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: ResNet, x: Tensor) -> StepSnapshot:
        """Copy the model and its gradients; call it after the backward pass, before the step."""
        copy = ResNet(model.shape, model.multipliers, model.replicas).to(model.input)
        copy.load_state_dict(model.state_dict())
        gradients = {r: g.clone() for r, p in model.named_parameters() if (g := p.grad) is not None}
        return cls(copy, gradients, x, *_outputs(copy, x))


@torch.no_grad()
def measure_step(held: StepSnapshot, model: ResNet) -> pd.DataFrame:
    """What the step from ``held`` to ``model`` did, role by role.

    A bias counts as a matrix with one column, so its RMS operator norm is its RMS norm. Hidden maps
    are measured in a few evenly spaced blocks: norms by their root mean square, ranks and shares
    by their mean. Not finite means diverged: ``inf``.

    Returns:
        One row a replica and role, with columns ``replica``, ``role``, and

        - ``update``: ‖ΔW‖_R,
        - ``change``: RMS change of h_L, or of the logits for the output matrix, when this role
          alone takes its new values (in all blocks),
        - ``update_rank`` and ``gradient_rank``: stable ranks of ΔW and of the gradient; 0 for a
          matrix of zeros,
        - ``bounded``: share of the entries of ΔW within one per cent of the largest,
        - ``weight``: ‖W‖_F after the step, and ``gradient``: ‖G‖_R.
    """
    roles = list(held.gradients)
    replicas = 1 if model.replicas is None else model.replicas
    frames = []
    for role in roles:
        new, old = getattr(model, role), getattr(held.model, role)
        update, gradient, weight = (
            _matrices(role, t, replicas) for t in (new - old, held.gradients[role], new)
        )
        columns = {
            "update": _root_mean_square(rms_operator_norm(update)),
            "change": _change(held, role, new.data),
            "update_rank": _rank(update).mean(-1),
            "gradient_rank": _rank(gradient).mean(-1),
            "bounded": _bounded(update).mean(-1),
            "weight": _root_mean_square(vector_norm(weight, dim=(-2, -1))),
            "gradient": _root_mean_square(rms_operator_norm(gradient)),
        }
        values = {name: or_inf(v).tolist() for name, v in columns.items()}
        frames.append(pd.DataFrame({"replica": range(replicas), "role": role} | values))
    return pd.concat(frames, ignore_index=True)


class StepRecorder:
    """Measures every step of a training run; give it to :func:`specmup.training.resnet.train`.

    ``on_step`` comes before each update, so a step is measured when the next one is about to
    begin, and the last one by :meth:`frame`.

    Args:
        x: The probe batch, (batch, d).
        steps: Which steps to measure, numbered from 1; None for all.
    """

    def __init__(self, x: Tensor, steps: Sequence[int] | None = None) -> None:
        """Nothing is recorded yet."""
        self._x, self._steps = x, steps
        self._held: StepSnapshot | None = None
        self._step = 0
        self._frames: list[pd.DataFrame] = []

    def __call__(self, step: int, model: ResNet) -> None:
        """Measure the step before, and hold what update number ``step`` (from 0) will change."""
        self._measure(model)
        self._step = step + 1
        wanted = self._steps is None or self._step in self._steps
        self._held = StepSnapshot.of(model, self._x) if wanted else None

    def frame(self, model: ResNet) -> pd.DataFrame:
        """The columns of :func:`measure_step` and ``step``, the last step included."""
        self._measure(model)
        return pd.concat(self._frames, ignore_index=True)

    def _measure(self, model: ResNet) -> None:
        if self._held is not None:
            self._frames.append(measure_step(self._held, model).assign(step=self._step))
            self._held = None


def _outputs(model: ResNet, x: Tensor) -> tuple[Tensor, Tensor]:
    last = model.features(x)[-1]
    return last, model.multipliers["output"] * (last @ model.output.mT)


def _change(held: StepSnapshot, role: str, new: Tensor) -> Tensor:
    """RMS change of the features, or of the logits, when one role moves; (R,)."""
    if role == "output":
        logits = held.model.multipliers["output"] * (held.last @ new.mT)
        return overall_rms(logits - held.logits).reshape(-1)
    parameter = getattr(held.model, role)
    old, parameter.data = parameter.data, new
    last, _ = _outputs(held.model, held.x)
    parameter.data = old
    return overall_rms(last - held.last).reshape(-1)


def _matrices(role: str, tensor: Tensor, replicas: int) -> Tensor:
    """The measured matrices of a role, (R, matrices, n_out, n_in)."""
    if role.endswith("bias"):
        tensor = tensor.unsqueeze(-1)
    if role.startswith("hidden"):  # (R?, L, k, n_out, n_in)
        tensor = tensor[..., probed_blocks(tensor.shape[-4]), :, :, :]
    return tensor.reshape(replicas, -1, *tensor.shape[-2:])


def _root_mean_square(norms: Tensor) -> Tensor:
    """(R, matrices) → (R,)."""
    return norms.square().mean(-1).sqrt()


def _rank(matrices: Tensor) -> Tensor:
    rank = stable_rank(matrices)
    return rank.masked_fill((matrices == 0).all(-1).all(-1), 0.0)


def _bounded(matrices: Tensor) -> Tensor:
    sizes = matrices.abs()
    return (sizes >= AT_THE_BOUND * sizes.amax((-2, -1), keepdim=True)).double().mean((-2, -1))
