"""Our modules, and which of them a module imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (ROOT / "specmup", ROOT / "book" / "experiments", ROOT / "book" / "diagrams")


def dotted(path: Path) -> str:
    """A module's name as one imports it."""
    base = next(package for package in PACKAGES if path.is_relative_to(package))
    parts = path.relative_to(base.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for package in PACKAGES for path in sorted(package.rglob("*.py"))}


@cache
def imported(name: str) -> frozenset[str]:
    """Our modules that a module imports, wherever in it the import stands, also for types alone."""
    return imports_of(MODULES[name].read_text(encoding="utf-8"))


def imports_of(source: str) -> frozenset[str]:
    """Our modules that a piece of code imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & MODULES.keys()) or {node.module}
    return frozenset(found & MODULES.keys())


def rests_on(names: Iterable[str], left_out: tuple[str, ...] = ()) -> set[str]:
    """Some of our modules, all that they import, and so on.

    Args:
        names: Where to begin.
        left_out: Beginnings of the names of modules that do not count, nor what they import.
    """
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found and not name.startswith(left_out):
            found.add(name)
            waiting += imported(name)
    return found
