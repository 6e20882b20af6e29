"""What the theory assumes of a training run, as ratios between 0 and 1 that a run can contradict.

The spectral condition is derived for one step, one sample and linear maps. To carry it further,
sizes are added and passed on as if nothing cancelled (yang2023; zheng2026, App. G):

- over steps, updates do not undo one another, neither as weights nor as features,
- the activation hands on a fixed share of its input's size,
- in a batch, the updates that single samples ask for do not undo one another.

Every measure here is made for the input map and for the maps of the last block, which a signal
reaches after it has passed the whole depth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn import functional as F

from experiments.instruments.expansion import overall_rms
from specmup.models.resnet import ResNet
from specmup.norms import rms_operator_norm


@dataclass(frozen=True)
class Signal:
    """One map, what enters it, what leaves it, and the loss's gradient with respect to the latter.

    Args:
        weight: W, (R, n_out, n_in).
        entering: z of each sample, (R, batch, n_in).
        leaving: W z, (R, batch, n_out); for a map that an activation follows, before it.
        gradient: δ = ∂(loss of the sample)/∂(W z), (R, batch, n_out). Sample i alone asks for an
            update of W along −δ_i z_iᵀ.
    """

    weight: Tensor
    entering: Tensor
    leaving: Tensor
    gradient: Tensor


def watched(model: ResNet) -> list[str]:
    """Names of the measured maps: ``input``, and ``map 1`` … ``map k`` of the last block."""
    return ["input", *(f"map {i + 1}" for i in range(model.shape.block_depth))]


def watched_weights(model: ResNet) -> dict[str, Tensor]:
    """Copies of the watched maps, (R, n_out, n_in) each."""
    last = model.hidden.detach()[..., -1, :, :, :].unbind(-3)
    maps = (model.input.detach(), *last)
    replicas = 1 if model.replicas is None else model.replicas
    return {
        name: w.reshape(replicas, *w.shape[-2:]).clone()
        for name, w in zip(watched(model), maps, strict=True)
    }


def signals(model: ResNet, x: Tensor, y: Tensor) -> dict[str, Signal]:
    """What enters and leaves each watched map of a stacked model, with gradients.

    Args:
        model: Stacked; nothing of it is changed, its parameters' gradients included.
        x: Samples (batch, d), the same for all replicas.
        y: Their classes (batch,).

    Raises:
        ValueError: If the model is not stacked.
    """
    if model.replicas is None:
        raise ValueError("the model has no replica dimension: build it with a sequence of seeds")
    alpha = model.multipliers
    into_input = x.expand(model.replicas, *x.shape)
    out_of_input, h = _input(model, into_input)
    for maps, biases in model.blocks()[:-1]:
        h = h + alpha["hidden"] * model.branch(h, maps, biases)
    entering, leaving, v = _last_block(model, h)
    entering, leaving = [into_input, *entering], [out_of_input, *leaving]
    logits = alpha["output"] * ((h + alpha["hidden"] * v) @ model.output.mT)
    classes = y.expand(logits.shape[:-1]).flatten()
    total = F.cross_entropy(logits.flatten(0, -2), classes, reduction="sum")
    gradients = torch.autograd.grad(total, leaving)
    weights = watched_weights(model)
    return {
        name: Signal(weights[name], *(t.detach() for t in parts))
        for name, *parts in zip(weights, entering, leaving, gradients, strict=True)
    }


@torch.no_grad()
def leaving(model: ResNet, x: Tensor, before_last: Tensor) -> dict[str, Tensor]:
    """What leaves each watched map, (R, batch, n_out) each.

    Args:
        model: Stacked.
        x: Samples (batch, d).
        before_last: h_{L-1} of these samples, (R, batch, n).
    """
    out_of_input, _ = _input(model, x)
    return dict(
        zip(watched(model), (out_of_input, *_last_block(model, before_last)[1]), strict=True)
    )


def passed_on(model: ResNet, signal: Signal) -> Tensor:
    """‖φ(a)‖_R/‖a‖_R of what leaves a map, over the whole batch; (R,)."""
    return overall_rms(model.activate(signal.leaving)) / overall_rms(signal.leaving)


def kept(size: Callable[[Tensor], Tensor], before: Tensor, change: Tensor) -> Tensor:
    """‖a + Δa‖/(‖a‖ + ‖Δa‖): 1 if a change adds to what is there, 0 if it wipes it out; (R,)."""
    return size(before + change) / (size(before) + size(change))


class Route:
    """The way a quantity takes: how long it is, and how far it leads.

    Args:
        size: Its norm, (R, …) → (R,).
    """

    def __init__(self, size: Callable[[Tensor], Tensor]) -> None:
        """Nothing has been passed yet."""
        self._size = size
        self._ends: tuple[Tensor, Tensor] | None = None
        self._length = torch.zeros(())

    def move_to(self, value: Tensor) -> None:
        """The next place; the first is the start."""
        start, here = self._ends or (value, value)
        if self._ends is not None:
            self._length = self._length + self._size(value - here)
        self._ends = start, value

    def straightness(self) -> Tensor:
        """‖Σ_t Δ_t‖/Σ_t ‖Δ_t‖, (R,): 1 if no step undoes another, about T^-1/2 for a random walk.

        0 where nothing has moved.

        Raises:
            ValueError: If there has been no step.
        """
        return _share(self.moved(), self._length)

    def moved(self) -> Tensor:
        """‖Σ_t Δ_t‖: how far from the start, (R,).

        Raises:
            ValueError: If there has been no step.
        """
        if self._ends is None or self._ends[0] is self._ends[1]:
            raise ValueError("a route without a step is neither straight nor bent: move twice")
        start, here = self._ends
        return self._size(here - start)


def sample_alignment(signal: Signal) -> Tensor:
    """How little of a batch's update is lost because its samples disagree; (R,).

    Sample i alone moves what leaves the map on sample j by v_ij ∝ δ_i⟨z_i, z_j⟩. The result is
    ‖Σ_i v_ij‖/Σ_i‖v_ij‖, both by their root mean square over j: 1 without any cancellation, about
    batch^-1/2 if samples have nothing to do with one another, 0 if no gradient arrives. It is the
    same at any learning rate.
    """
    together, apart, _ = _moves(signal)
    return _share(_rms(together), _rms(apart))


def against_own(signal: Signal) -> Tensor:
    """What the batch moves on a sample, over what this sample alone would: ‖Σ_i v_ij‖/‖v_jj‖; (R,).

    Both are parts of one mean over the batch, so it is 1 if the other samples add nothing, below 1
    if they work against it, and up to the batch size if all want the same. Both are root mean
    squares over j.
    """
    together, _, own = _moves(signal)
    return _share(_rms(together), _rms(own))


def reach(update: Tensor, entering: Tensor) -> Tensor:
    """‖ΔW z‖_R/(‖ΔW‖_R‖z‖_R) over the batch, (R,): the share of an update that the features feel.

    The derivation takes it for Θ(1), whatever the optimizer; for one sample's gradient it is 1. A
    zero update reaches nothing: 0.

    Args:
        update: ΔW, (R, n_out, n_in).
        entering: z, (R, batch, n_in).
    """
    moved = overall_rms(entering @ update.mT)
    return _share(moved, rms_operator_norm(update) * overall_rms(entering))


def _input(model: ResNet, x: Tensor) -> tuple[Tensor, Tensor]:
    """What leaves the input map, and h_0."""
    out = x @ model.input.mT + (model.input_bias.unsqueeze(-2) if model.shape.bias else 0)
    return out, model.multipliers["input"] * out


def _last_block(model: ResNet, h: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """What enters and what leaves each map of the last block, and what its branch gives."""
    maps, biases = model.blocks()[-1]
    entering, left = [], []
    for i, weight in enumerate(maps):
        entering.append(h)
        h = h @ weight.mT + (biases[i].unsqueeze(-2) if biases else 0)
        left.append(h)
        h = model.activate(h) if i < max(1, len(maps) - 1) else h
    return entering, left, h


def _moves(signal: Signal) -> tuple[Tensor, Tensor, Tensor]:
    """‖Σ_i v_ij‖, Σ_i‖v_ij‖ and ‖v_jj‖ for each sample j, (R, batch) each, up to one factor."""
    z, delta = signal.entering, signal.gradient
    gram = z @ z.mT  # (R, batch, batch)
    lengths = vector_norm(delta, dim=-1)  # (R, batch)
    together = vector_norm(gram @ delta, dim=-1)
    apart = (gram.abs() @ lengths.unsqueeze(-1)).squeeze(-1)
    return together, apart, lengths * gram.diagonal(dim1=-2, dim2=-1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part/whole, and 0 where there is nothing."""
    return torch.where(whole == 0, 0.0, part / whole)


def _rms(values: Tensor) -> Tensor:
    return values.square().mean(-1).sqrt()
