"""The extras of ``pyproject.toml``: packages that only some uses need, imported where they are."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

# What [lab] brings, by the names under which it is imported; torch brings filelock already.
LAB = ("pandas", "scipy", "sklearn", "matplotlib", "fontTools", "tqdm", "msgspec")


class MissingExtra(ImportError, ValueError):
    """A package that comes with an extra is not installed; the message says how to get it."""


def require_lab(room: str) -> None:
    """Let a room be imported only where all packages of the laboratory are installed.

    Args:
        room: The package that needs them.

    Raises:
        MissingExtra: If one is not.
    """
    if (package := _lacking()) is not None:
        raise missing(package, extra="lab", use=room)


@cache
def _lacking() -> str | None:
    """The first package of the laboratory that is not installed; looked up once for all rooms."""
    return next((package for package in LAB if find_spec(package) is None), None)


def load(package: str, *, extra: str, use: str) -> ModuleType:
    """Import a package that comes with an extra.

    Args:
        package: Its name.
        extra: Of this project, that brings it.
        use: What needs it, as a subject: ``"hf:gpt2"``.

    Raises:
        MissingExtra: If it cannot be imported.
    """
    try:
        return import_module(package)
    except ImportError as problem:
        raise missing(package, extra=extra, use=use, reason=f" ({problem})") from problem


def missing(package: str, *, extra: str, use: str, reason: str = "") -> MissingExtra:
    """The error that names the package and the command that brings it."""
    return MissingExtra(
        f"{use} needs the package {package}{reason}: pip install 'specmup[{extra}]'"
    )
