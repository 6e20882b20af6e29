"""The multipliers that a model offers: numbers that its forward pass reads."""

from __future__ import annotations

from collections.abc import MutableMapping

from torch import nn


def offered_multipliers(model: nn.Module) -> MutableMapping[str, float] | None:
    """The multipliers α by role that a model's forward pass applies; None if it offers none.

    A model offers them as an attribute ``multipliers``: a dictionary with the keys ``hidden`` and
    ``output``, and perhaps ``input``, which its forward pass reads each time.
    """
    offered = getattr(model, "multipliers", None)
    known = isinstance(offered, MutableMapping) and {"hidden", "output"} <= set(offered)
    return offered if known else None
