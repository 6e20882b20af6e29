"""Sizes inside a language model while it trains: its residual stream, and each weight's step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from specmup.norms import rms_norm, rms_operator_norm


class StreamRecorder:
    """Norms by step; hand it to :func:`specmup.lab.language.train_language_model` as ``on_step``.

    It is called before each update, so a weight's step shows when the next one is called: ask for
    ``t`` and get the features at step ``t`` and the update that led there.

    Args:
        tokens: Probe tokens (B, T), the same at every step.
        steps: Steps at which to measure; the step before each is kept in memory.

    Raises:
        ValueError: If there is no step to measure at.
    """

    def __init__(self, tokens: Tensor, steps: Collection[int]) -> None:
        """Nothing is measured yet."""
        if not steps:
            raise ValueError("no steps to measure at: give at least one")
        self.tokens, self.steps = tokens, frozenset(steps)
        self._before: dict[str, Tensor] = {}
        self._rows: list[dict] = []

    @torch.no_grad()
    def __call__(self, step: int, model: nn.Module) -> None:
        """Measure, where asked for."""
        if step in self.steps:
            stream = model.features(self.tokens.to(next(model.parameters()).device))
            for block, h in enumerate(stream):  # each (B, T, n)
                self._add(step, "feature", f"h_{block}", rms_norm(h, dim=(0, 1, 2)))
            for name, weight, norm in _matrices(model):
                self._add(step, "weight", name, norm(weight))
                if name in self._before:
                    self._add(step, "update", name, norm(weight - self._before[name]))
        due = step + 1 in self.steps
        self._before = {n: w.detach().clone() for n, w, _ in _matrices(model)} if due else {}

    def _add(self, step: int, quantity: str, name: str, size: Tensor) -> None:
        row = {"step": step, "quantity": quantity, "name": name, "size": float(size)}
        self._rows.append(row)

    def frame(self) -> pd.DataFrame:
        """One row a norm: step, quantity (``feature``, ``weight``, ``update``), name, size.

        Features are root mean squares. Weights and updates are RMS operator norms; those of
        embeddings, whose inputs are one-hot, are root mean squares too.
        """
        return pd.DataFrame(self._rows, columns=["step", "quantity", "name", "size"])


def _matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, Callable]]:
    """Name, weight and the norm that suits it, of every matrix."""
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Embedding):
            yield f"{name}.weight", weight, partial(rms_norm, dim=(0, 1))
        elif isinstance(module, nn.Linear):
            yield f"{name}.weight", weight, rms_operator_norm
