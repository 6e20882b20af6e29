"""Weights along a run: how large they are, how far a step turns them, and how well they line up.

Of each watched matrix, at some steps: its size, the size of the next step relative to it, and the
alignment of both with what enters it,

    ‖W h‖ / (‖W‖_F · ‖h‖)    and    ‖ΔW h‖ / (‖ΔW‖_F · ‖h‖)

over the samples of a probe (2510.19093). Each is between 0 and 1, and about 1/√n_in where matrix
and samples have nothing to do with one another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from specmup.norms import or_inf, rms_operator_norm

MEASURED = ("entry", "norm", "update", "weight_alignment", "update_alignment")
Row = dict[str, float | str]


class WeightsAlong:
    """Watches a language model at some steps; give it to a training as ``on_step``.

    ``on_step`` comes before each update, so a step is measured when the next one is about to begin,
    and the last one by :meth:`rows`.

    Args:
        watched: By the name of a matrix in the rows, the ending of its module's name. What is
            measured of several modules is averaged.
        x: The probe, tokens (B, T).
        moments: Which updates to measure, numbered from 1.
    """

    def __init__(self, watched: Mapping[str, str], x: Tensor, moments: Sequence[int]) -> None:
        """Nothing is seen yet."""
        self._watched, self._x, self._moments = watched, x, frozenset(moments)
        self._held: dict[str, tuple[Tensor, Tensor]] = {}  # weight and what enters, by module
        self._step = 0
        self._rows: list[Row] = []

    def __call__(self, step: int, model: nn.Module) -> None:
        """Measure the update before, and hold what update number ``step`` (from 0) will change."""
        self._measure(model)
        self._step = step + 1
        self._held = self._seen(model) if self._step in self._moments else {}

    def rows(self, model: nn.Module) -> list[Row]:
        """A row a moment and matrix: ``step``, ``matrix``, and the columns :data:`MEASURED`.

        ``entry`` is the root mean square of the entries, ``norm`` is ‖W‖_R, ``update`` is
        ‖ΔW‖_F/‖W‖_F. What is not finite is ``inf``.
        """
        self._measure(model)
        return self._rows

    def _seen(self, model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
        """Weight and entering samples (N, n_in) of every watched module."""
        entering: dict[str, Tensor] = {}

        def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda module, given: entering.__setitem__(name, given[0].detach())

        modules = [found for ending in self._watched.values() for found in _ending(model, ending)]
        handles = [module.register_forward_pre_hook(hook(name)) for name, module in modules]
        with torch.no_grad():
            model(self._x)
        for handle in handles:
            handle.remove()
        return {
            name: (module.get_parameter("weight").detach().clone(), entering[name].flatten(0, 1))
            for name, module in modules
        }

    @torch.no_grad()
    def _measure(self, model: nn.Module) -> None:
        if not self._held:
            return
        for matrix, ending in self._watched.items():
            each = []
            for name, module in _ending(model, ending):
                weight, h = self._held[name]
                step = module.get_parameter("weight") - weight
                each.append(torch.stack(_sizes(weight, step, h)))
            means = or_inf(torch.stack(each).mean(0)).tolist()
            row: Row = {"step": self._step, "matrix": matrix}
            self._rows.append(row | dict(zip(MEASURED, means, strict=True)))
        self._held = {}


def _ending(model: nn.Module, ending: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules whose names end so, with their names."""
    yield from ((name, m) for name, m in model.named_modules() if name.endswith(ending))


def _sizes(W: Tensor, step: Tensor, h: Tensor) -> list[Tensor]:
    """The columns :data:`MEASURED` of one weight and its step; h (N, n_in), or tokens (N,)."""
    rms = W.norm() / W.numel() ** 0.5
    matrix = W if h.is_floating_point() else W.mT  # an embedding maps one-hot vectors
    aligned = [_alignment(one, h) for one in (W, step)]
    return [rms, rms_operator_norm(matrix), step.norm() / W.norm(), *aligned]


def _alignment(W: Tensor, h: Tensor) -> Tensor:
    if not h.is_floating_point():
        return F.embedding(h, W).norm() / (W.norm() * h.numel() ** 0.5)
    return (h @ W.mT).norm() / (W.norm() * h.norm())
