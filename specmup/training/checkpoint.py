"""The state of a training run on disk, so that a stopped run goes on exactly where it was."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from specmup.runs.files import opened, replacing, say_of_what


@dataclass(frozen=True)
class Checkpoint:
    """Where a run keeps its state, and how often.

    Args:
        path: The file. It is replaced whole, so that a run stopped at any moment leaves a good one.
        every: Steps between two writings.

    Raises:
        ValueError: If ``every`` is below 1.
    """

    path: Path
    every: int

    def __post_init__(self) -> None:
        """Refuse a period that never comes."""
        if self.every < 1:
            raise ValueError(f"a checkpoint every {self.every} steps: give at least 1")

    def due(self, step: int) -> bool:
        """Whether the state is written after ``step`` steps."""
        return step % self.every == 0

    def write(self, state: Mapping[str, Any], run: Mapping[str, Any]) -> None:
        """Replace the file by ``state``, with the description of the run that it belongs to."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as file:
            try:
                torch.save({"run": dict(run), "state": dict(state)}, file)
            except RuntimeError as problem:  # torch's words for whatever interrupted its writing
                if isinstance(first := problem.__context__, OSError | KeyboardInterrupt):
                    raise first from None
                raise

    def read(self, run: Mapping[str, Any]) -> dict[str, Any] | None:
        """The state kept, on the CPU; None if there is none.

        A file that cannot be read is set aside under the name ``….damaged``, with a warning.

        Raises:
            ValueError: If it belongs to another run.
            OSError: If it cannot be opened or read.
        """
        if not os.path.lexists(self.path):
            return None
        try:
            with opened(self.path) as file:
                kept = torch.load(file, map_location="cpu", weights_only=True)  # runs no code
            described, state = dict(kept["run"]), dict(kept["state"])
        except OSError as problem:  # the disk's or the folder's, which tells nothing of the file
            say_of_what(problem, self.path)
            raise
        except Exception as problem:  # torch raises many kinds for a file cut off or overwritten
            aside = self.path.with_name(self.path.name + ".damaged")
            self.path.replace(aside)
            warnings.warn(
                f"checkpoint {self.path} cannot be read ({type(problem).__name__}): it is kept as "
                f"{aside.name}, and the run begins anew",
                stacklevel=3,
            )
            return None
        if differing := [key for key in run if described.get(key) != run[key]]:
            key = differing[0]
            raise ValueError(
                f"checkpoint {self.path} is of another run: its {key} is {described.get(key)!r}, "
                f"not {run[key]!r}; give another path or delete the file"
            )
        return state
