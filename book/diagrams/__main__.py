"""Draw every diagram into the book's folder of figures: ``python -m diagrams``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import diagrams

FOLDER = Path(__file__).resolve().parents[1] / "_static" / "diagrams"


def names() -> list[str]:
    """Names of the diagrams: the modules of this folder."""
    found = (m.name for m in iter_modules(diagrams.__path__) if not m.ispkg)
    return [name for name in found if name != "__main__"]


def drawn(name: str) -> str:
    """A diagram as the text of its file."""
    return str(import_module(f"diagrams.{name}").draw())


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where a diagram's file lies."""
    return folder / f"{name.replace('_', '-')}.svg"


def main() -> None:
    """Write every diagram, and take away files that no module draws any more."""
    FOLDER.mkdir(exist_ok=True)
    files = {path_of(name): drawn(name) for name in names()}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    for left in set(FOLDER.glob("*.svg")) - files.keys():
        left.unlink()


if __name__ == "__main__":
    main()
