"""What the forward passes of a model and of its base show, as far as they can be traced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from specmup.inspection.multipliers import offered_multipliers
from specmup.inspection.names import canonical
from specmup.inspection.specs import ModelSpec, ParamSpec
from specmup.tracing.copies import without_memory
from specmup.tracing.dimensions import Layout
from specmup.tracing.examples import NotTraced, trace_example
from specmup.tracing.reading import Reading, read

# Tracing takes some milliseconds a tensor of parameters; models with more are traced if one asks.
CHEAP = 500


@dataclass(frozen=True)
class Observation:
    """Both forward passes.

    Args:
        target: Of the model.
        base: Of its base.
    """

    target: Reading
    base: Reading

    @property
    def layouts(self) -> Mapping[str, Layout]:
        """The layouts of parameters, where both agree."""
        other, target = self.base.layouts, self.target.layouts
        both = {name: own.beside(other.get(name, own)) for name, own in target.items()}
        return {name: layout for name, layout in both.items() if layout is not None}


def observe(model: nn.Module, base: nn.Module, example: Any = None) -> Observation:
    """Trace and read a model and its base.

    Raises:
        NotTraced: If one of them does not run on the example, or on what was found for it.
    """
    target = _reading(model, example)
    return Observation(target, _reading(base, example, target.handed))


def _reading(model: nn.Module, example: Any, handed: Collection[str] = ()) -> Reading:
    if offered_multipliers(model) is not None:
        # A plan sets these: what is looked for is what the model multiplies by besides.
        model = without_memory(model)
        offered = offered_multipliers(model)
        assert offered is not None
        offered.update(dict.fromkeys(offered, 1.0))
    try:
        return read(trace_example(model, example), handed)
    except RecursionError as problem:  # ways back through hundreds of experts, one by one
        raise NotTraced(f"{type(model).__name__}: it is too long to be followed") from problem
    except NotTraced as problem:
        raise NotTraced(f"{type(model).__name__}: {problem}") from problem


def as_seen(spec: ModelSpec, seen: Observation | None) -> ModelSpec:
    """The same parameters, with what was seen of them: their layout, the gains."""
    if seen is None:
        return spec
    layouts = {canonical(name): layout for name, layout in seen.layouts.items()}
    gains = {canonical(name) for name in seen.target.gains | seen.base.gains}

    entrywise = {canonical(name) for name in seen.target.entrywise | seen.base.entrywise}

    def placed(param: ParamSpec) -> ParamSpec:
        inside = param.blocks is not None and not param.is_vector
        if inside and entrywise.issuperset(param.names):
            param = replace(param, entrywise=True)
        if param.is_vector:
            return replace(param, multiplies=gains.issuperset(param.names))
        found = {layouts.get(name) for name in names_of(param)} - {None}
        return replace(param, layout=found.pop()) if len(found) == 1 else param

    return replace(spec, params={key: placed(param) for key, param in spec.params.items()})


def names_of(param: ParamSpec) -> Iterable[str]:
    """All names under which a parameter may have been seen."""
    return (*param.names, *param.aliases)
