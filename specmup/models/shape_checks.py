"""What every shape of a model is held to: sizes from one on, and options that exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Integral
from typing import Any


def check_sizes(shape: Any, names: Collection[str]) -> None:
    """Refuse sizes that make no model.

    Raises:
        ValueError: If one is no positive integer.
    """
    for name in names:
        size = getattr(shape, name)
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} is {size!r}: it must be an integer of at least 1")


def check_options(shape: Any, options: Mapping[str, Collection[str]]) -> None:
    """Refuse options that are not known.

    Raises:
        ValueError: If one is not; the message lists those that are.
    """
    for name, known in options.items():
        if (given := getattr(shape, name)) not in [*known]:
            raise ValueError(f"unknown {name} {given!r}: choose one of {', '.join(known)}")
