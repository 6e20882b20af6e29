"""The scale of attention logits where heads grow: 1/d, set where a model reads it.

Queries and keys align in training, so that a product over d entries grows like d (yang2022), and
not like √d as at the start. Many models read the factor on it from an attribute of the module that
attends. Which one it is is not taken from its name: it holds the factor that was seen, and when it
is changed, the logits are seen to change as they should.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isclose
from typing import Any

from torch import nn

from specmup.inspection.blocks import joined
from specmup.inspection.names import abbreviated, modules_by_name
from specmup.inspection.observation import Observation
from specmup.tracing.copies import without_memory
from specmup.tracing.examples import NotTraced, trace_example
from specmup.tracing.reading import read


@dataclass(frozen=True)
class AttentionScale:
    """The number that one module multiplies its attention logits by.

    Args:
        name: Of the attribute, with the path of the module.
        value: What it must be.
        own: What the model itself makes it.
        factor: Of the value on the base's.
    """

    name: str
    value: float
    own: float
    factor: float

    @property
    def pattern(self) -> str:
        """The name with ``*`` for the number of the block."""
        return ".".join("*" if word.isdigit() else word for word in self.name.split("."))


def attention_scales(
    model: nn.Module, seen: Observation | None, example: Any = None
) -> tuple[AttentionScale, ...]:
    """What must be set; empty where heads keep their dimension, or where the model offers nothing.

    Args:
        model: The target, as it was traced: with the scales that it makes itself.
        seen: The forward passes; None where none was looked at.
        example: An input to trace with; found from the model if not given.
    """
    if seen is None:
        return ()
    before = {(found.scale, found.dimension) for found in seen.base.attentions}
    if len(before) != 1 or (wanted := _factors(seen, *before.pop())) is None:
        return ()
    scales = tuple(_attributes(model, seen, wanted))
    copy = without_memory(model)
    set_scales(copy, scales)
    try:
        now = read(trace_example(copy, example)).attentions
    except NotTraced:
        return ()
    right = (
        found.scale is not None and isclose(found.scale, value, rel_tol=1e-5)
        for found, (value, _) in zip(now, wanted, strict=True)
    )
    return scales if len(now) == len(wanted) and all(right) else ()


def _factors(
    seen: Observation, scale: float | None, dimension: int
) -> list[tuple[float, float]] | None:
    """What each product must be multiplied by, and the factor on the base's; None if it is."""
    now = seen.target.attentions
    if not scale or not now or any(not found.scale for found in now):
        return None
    if all(found.dimension == dimension for found in now):
        return None
    factors = [dimension / found.dimension for found in now]
    wanted = [(scale * factor, factor) for factor in factors]
    if all(isclose(f.scale or 0, v, rel_tol=1e-5) for f, (v, _) in zip(now, wanted, strict=True)):
        return None
    return wanted


def _attributes(
    model: nn.Module, seen: Observation, wanted: Iterable[tuple[float, float]]
) -> Iterator[AttentionScale]:
    """The numbers that stand in the modules that attend and are the scales that were seen."""
    modules = {path: module for path, module in model.named_modules()}
    names = {id(module): name for name, module in modules_by_name(model).items()}
    for found, (value, factor) in zip(seen.target.attentions, wanted, strict=True):
        module = modules[found.module]
        for attribute, own in vars(module).items():
            if type(own) is float and found.scale and isclose(own, found.scale, rel_tol=1e-5):
                yield AttentionScale(joined(names[id(module)], attribute), value, own, factor)


def set_scales(model: nn.Module, scales: Iterable[AttentionScale]) -> None:
    """Write the scales into the modules.

    Raises:
        ValueError: If the model has no such module, or it no such number.
    """
    for scale, module, attribute in _held(model, scales):
        setattr(module, attribute, scale.value)


def check_scales(model: nn.Module, scales: Iterable[AttentionScale]) -> None:
    """Hold a model that is about to be trained against the plan.

    Raises:
        ValueError: If a module has another scale, as one that was made or loaded anew.
    """
    other = [
        f"{scale.name} is {held:.4g}, in the plan {scale.value:.4g}"
        for scale, module, attribute in _held(model, scales)
        if not isclose(held := getattr(module, attribute), scale.value, rel_tol=1e-5)
    ]
    if other:
        raise ValueError(
            f"{abbreviated(other)}: a model that is made or loaded anew has its own; "
            "plan.initialise(model) sets it before training, plan.set_constants(model) where "
            "the weights shall stay as they are"
        )


def _held(
    model: nn.Module, scales: Iterable[AttentionScale]
) -> Iterator[tuple[AttentionScale, nn.Module, str]]:
    modules = modules_by_name(model)
    for scale in scales:
        path, _, attribute = scale.name.rpartition(".")
        module = modules.get(path)
        if module is None or not isinstance(getattr(module, attribute, None), float):
            raise ValueError(
                f"the plan sets the scale of attention logits by {scale.name}, and the model has "
                "no such number: give the plan the model that it was made for"
            )
        yield scale, module, attribute
