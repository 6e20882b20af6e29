"""What an experiment's rows need besides its grid: the constants that stand in its modules."""

from __future__ import annotations

import sys
from dataclasses import asdict, is_dataclass
from inspect import getdoc, getmodule, isfunction, ismodule, signature
from types import ModuleType
from typing import Any

from specmup.runs.manifest import recordable

SHARED = ("experiments.instruments.", "experiments.small_gpt", "experiments.brief_gpt")
LEFT_OUT = ("EXPERIMENT", "LAWS")  # told by the grid, or by the theory


def settings_of(experiment: ModuleType) -> dict[str, Any]:
    """The module's words on itself, its constants, those of modules that it shares, its base model.

    Constants are those that a module holds, imported ones too. What JSON does not know is kept as
    text: an order of magnitude, a set of rules.

    Args:
        experiment: A module of :mod:`experiments`.
    """
    found = {
        "about": " ".join((getdoc(experiment) or "").split()),
        "constants": _constants(experiment),
        "shared": {module.__name__: _constants(module) for module in _drawn_on(experiment)},
    }
    if isfunction(base := getattr(experiment, "base", None)):
        if all(p.default is not p.empty for p in signature(base).parameters.values()):
            found["base"] = _plain(base())
    return found


def _constants(module: ModuleType) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name, value in vars(module).items()
        if name.isupper() and not name.startswith("_") and name not in LEFT_OUT
        if not (ismodule(value) or callable(value))
    }


def _drawn_on(module: ModuleType) -> list[ModuleType]:
    """Instruments and the GPTs of sweeps, where their code was imported, and what these draw on."""
    found = {getattr(getmodule(value), "__name__", "") for value in vars(module).values()}
    ours = sorted(name for name in found - {module.__name__} if name.startswith(SHARED))
    return [m for name in ours for m in (sys.modules[name], *_drawn_on(sys.modules[name]))]


def _plain(value: Any) -> Any:
    """The value, or its text where a manifest cannot hold it."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    try:
        return recordable(value, "value")
    except ValueError:
        return getattr(value, "__qualname__", str(value))  # of a function: its address says nothing
