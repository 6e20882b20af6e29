"""How a language model is trained: length, batch, schedule, precision."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a language model is trained, apart from the model, its optimizer and the text.

    Args:
        steps: Updates.
        batch_size: Windows B an update.
        warm_up: Updates over which the learning rates rise linearly.
        floor: Fraction of the learning rates to which a half cosine then lowers them, 0 to 1.
        clip: Largest global norm of the gradient; None for no bound.
        accumulation: Parts in which a batch is worked through, to save memory.
        autocast: Multiply matrices in bfloat16.
        compile: Run the model's blocks through ``torch.compile``.
        validation_windows: Windows on which the model is judged, the same for every run.
        validate_every: Steps between two judgements; 0 judges after the last step only.

    Raises:
        ValueError: If a number is out of range.
    """

    steps: int
    batch_size: int
    warm_up: int = 0
    floor: float = 0.1
    clip: float | None = 1.0
    accumulation: int = 1
    autocast: bool = False
    compile: bool = False
    validation_windows: int = 64
    validate_every: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for name in ("steps", "batch_size", "accumulation", "validation_windows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give at least 1")
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} does not split into accumulation "
                f"{self.accumulation} equal parts: choose a divisor"
            )
        if not 0 <= self.warm_up <= self.steps:
            raise ValueError(f"warm_up is {self.warm_up}: give 0 to steps = {self.steps}")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor is {self.floor}: give a fraction of the rate, 0 to 1")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip is {self.clip}: give a positive norm, or None for no bound")
        if self.validate_every < 0:
            raise ValueError(f"validate_every is {self.validate_every}: give 0 or a period")

    def factor(self, step: int) -> float:
        """What the learning rates are multiplied by at ``step``, counted from 0."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        passed = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * passed)) / 2
