"""What an experiment's rows need besides its grid: the constants that its module holds."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from inspect import getdoc, isclass, isfunction, ismodule, signature
from types import ModuleType
from typing import Any

from specmup.runs.manifest import recordable

LEFT_OUT = ("SCALES", "KEYS", "COMPARED", "LAWS")  # of the table, or of the theory


def settings_of(experiment: ModuleType) -> dict[str, Any]:
    """The module's words on itself, its constants, imported ones too, and its base model.

    What JSON does not know is kept as text: an order of magnitude, a set of rules.

    Args:
        experiment: A module of :mod:`experiments`.
    """
    constants = {
        name: _plain(value)
        for name, value in vars(experiment).items()
        if name.isupper() and name not in LEFT_OUT and not _is_code(value)
    }
    found = {"about": " ".join(getdoc(experiment).split()), "constants": constants}
    base = getattr(experiment, "base", None)
    if isfunction(base) and not signature(base).parameters:
        found["base"] = _plain(base())
    return found


def _is_code(value: Any) -> bool:
    return ismodule(value) or isclass(value) or callable(value)


def _plain(value: Any) -> Any:
    """The value, or its text where a manifest cannot hold it."""
    if is_dataclass(value) and not isclass(value):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    try:
        return recordable(value, "value")
    except ValueError:
        return str(value)
