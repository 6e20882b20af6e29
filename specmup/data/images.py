"""Real images that need no download, and the order in which a run sees them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from specmup.streams import stream


@dataclass(frozen=True)
class Task:
    """A classification task.

    Args:
        name: For result rows.
        train_x: Training samples (N, d).
        train_y: Their classes (N,), integers from 0 to ``classes`` - 1.
        test_x: Test samples (M, d).
        test_y: Their classes (M,).
        classes: Number of classes.

    Raises:
        ValueError: If shapes do not fit, a value is not finite or a label is out of range.
    """

    name: str
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    classes: int

    def __post_init__(self) -> None:
        """Check shapes, finiteness and labels of both parts."""
        for part in ("train", "test"):
            _check_part(f"{self.name} {part}", *self.part(part), self.classes)
        if self.test_x.shape[1] != self.train_x.shape[1]:
            raise ValueError(
                f"{self.name}: test samples have {self.test_x.shape[1]} inputs, "
                f"training samples {self.train_x.shape[1]}"
            )

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Samples and labels of ``train`` or ``test``."""
        return getattr(self, f"{name}_x"), getattr(self, f"{name}_y")

    @property
    def inputs(self) -> int:
        """Dimension d of a sample."""
        return self.train_x.shape[1]


def task(name: str, x: Tensor, y: Tensor, *, test: int, seed: int = 0) -> Task:
    """Split samples at random and prepare them.

    The training set's mean sample is subtracted, then each sample is scaled to RMS norm 1, as the
    theory asks of an input.

    Args:
        name: For result rows.
        x: Samples (N, d).
        y: Classes (N,).
        test: Number of samples held out.
        seed: Decides which.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, or the split is impossible.
    """
    classes = int(y.max()) + 1 if y.numel() else 0
    _check_part(name, x, y, classes)
    if not 1 <= test < len(x):
        raise ValueError(f"{name}: cannot hold out {test} of {len(x)} samples: choose 1 or more")
    order = torch.randperm(len(x), generator=stream("split", seed))
    held, kept = order[:test], order[test:]
    train_x, test_x = _prepare(x[kept], x[held])
    return Task(name, train_x, y[kept], test_x, y[held], classes)


def digits(*, test: int = 360, seed: int = 0) -> Task:
    """scikit-learn's handwritten digits: 1797 images of 8×8 pixels, 10 classes.

    Args:
        test: Number of images held out.
        seed: Decides which.
    """
    table = torch.from_numpy(np.loadtxt(_file_of_digits(), delimiter=","))  # (1797, 64 + 1)
    x, y = table[:, :-1].float(), table[:, -1].long()
    return task("digits", x, y, test=test, seed=seed)


def _file_of_digits() -> Path:
    """Where scikit-learn keeps them. To import it, for its reader, would take two seconds."""
    found = find_spec("sklearn")
    assert found is not None and found.origin is not None  # the room asks for it
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def digit_sums(*, train: int = 20_000, test: int = 2_000, seed: int = 0) -> Task:
    """Two digits side by side (128 inputs); the class is the last decimal of their sum.

    Harder than digits, as neither image alone says anything about the class. Pairs are drawn with
    replacement, those for training among the images that :func:`digits` trains on.

    Args:
        train: Number of training pairs.
        test: Number of test pairs.
        seed: Decides the pairs and the images held out.

    Raises:
        ValueError: If a number of pairs is below 1.
    """
    if min(train, test) < 1:
        raise ValueError(f"{train} training and {test} test pairs: give at least 1 of each")
    images = digits(seed=seed)
    generator = stream("pairs", seed)
    train_x, train_y = _pairs(*images.part("train"), train, generator)
    test_x, test_y = _pairs(*images.part("test"), test, generator)
    return Task("digit-sums", train_x, train_y, test_x, test_y, images.classes)


def batch_order(samples: int, batch_size: int, steps: int, seed: int) -> Tensor:
    """Which samples each step sees: indices (steps, batch_size).

    Whole shuffled passes over the samples, one after the other, cut into batches: a function of
    the seed, and of it alone as the number of steps grows.

    Raises:
        ValueError: If the batch size is not between 1 and ``samples``.
    """
    if not 1 <= batch_size <= samples:
        raise ValueError(f"batch size {batch_size} of {samples} samples: choose 1 to {samples}")
    generator = stream("batches", seed)
    passes = -(-steps * batch_size // samples)  # rounded up
    order = torch.cat(
        [torch.empty(0, dtype=torch.long)]
        + [torch.randperm(samples, generator=generator) for _ in range(passes)]
    )
    return order[: steps * batch_size].view(steps, batch_size)


def _pairs(x: Tensor, y: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pairs (count, 2d) of samples, and the last decimals (count,) of the sums of their labels."""
    first, second = torch.randint(len(x), (2, count), generator=generator)
    return torch.cat([x[first], x[second]], dim=1), (y[first] + y[second]) % 10


def _prepare(train_x: Tensor, test_x: Tensor) -> tuple[Tensor, Tensor]:
    mean = train_x.mean(0)
    return _to_unit_rms(train_x - mean), _to_unit_rms(test_x - mean)


def _to_unit_rms(x: Tensor) -> Tensor:
    rms = x.square().mean(1, keepdim=True).sqrt()
    if (rms == 0).any():
        raise ValueError("a sample equals the mean sample: it cannot be scaled to RMS norm 1")
    return x / rms


def _check_part(name: str, x: Tensor, y: Tensor, classes: int) -> None:
    if x.ndim != 2 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(
            f"{name}: samples {tuple(x.shape)} and labels {tuple(y.shape)}: "
            "expected (N, d) and (N,) with N of at least 1"
        )
    if not x.isfinite().all():
        bad = int((~x.isfinite()).any(1).nonzero()[0])
        raise ValueError(f"{name}: sample {bad} holds a value that is not finite: clean the data")
    if y.is_floating_point() or y.min() < 0 or y.max() >= classes:
        raise ValueError(f"{name}: labels must be integers from 0 to {classes - 1}")
