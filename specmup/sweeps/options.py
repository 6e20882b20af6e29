"""Options of optimizers in a sweep's file, ``[optimizers.NAME]``: names and kinds of value."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from math import isfinite
from typing import Any

from specmup.optimizers.registry import ADAPTERS
from specmup.sweeps.run import OWN_OPTIONS
from specmup.sweeps.schema import Option, Options, check, place, refuse_unknown, short
from specmup.theory.rules import COMPANION
from specmup.theory.update import update_law


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what an optimizer and its companion have no option for, or cannot take.

    Args:
        name: A name in :data:`specmup.theory.update.LAWS`.
        options: Its table of the file.

    Raises:
        ValueError: If the name, a key or the kind of a value is wrong.
    """
    where = place("optimizers", name)
    if (law := update_law(name)).name != name:
        raise ValueError(f"{where}: a file writes it {law.name!r}")
    own = OWN_OPTIONS if law.matrices_only else ("epsilon",)
    refuse_unknown(where, options, (*own, *ADAPTERS[name].options))
    check(options, Options, where)
    _check_values(where, name, {k: v for k, v in options.items() if k not in own})
    if "companion" in options:
        where = place(where, "companion")
        refuse_unknown(where, options["companion"], ADAPTERS[COMPANION.name].options)
        _check_values(where, COMPANION.name, options["companion"])


def _check_values(where: str, name: str, options: Mapping[str, Any]) -> None:
    """Values that a library's options may have at all; whether they may be so, it says itself."""
    parameters = signature(ADAPTERS[name].library).parameters
    for key, value in options.items():
        check(value, Option, place(where, key))
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, float) and not isfinite(number):
                raise ValueError(f"{where}, {key} is {short(value)}: give finite numbers")
        usual = parameters[key].default
        if not _alike(value, usual):
            # As TOML writes it: lists in square brackets, true and false.
            raise ValueError(f"{where}, {key} is {short(value)}: give the like of {_toml(usual)}")


def _alike(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of an option's default, where that tells a kind."""
    if isinstance(usual, tuple):
        listed = isinstance(value, list | tuple) and len(value) == len(usual)
        return listed and all(map(_alike, value, usual))
    for kind in (bool, int | float, str):
        if isinstance(usual, kind):
            return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    return True


def _toml(usual: Any) -> str:
    if isinstance(usual, tuple):
        return f"[{', '.join(map(_toml, usual))}]"
    return str(usual).lower() if isinstance(usual, bool) else repr(usual)
