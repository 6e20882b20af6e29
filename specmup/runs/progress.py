"""What a waiting reader sees: a progress bar on a terminal, and times as one would say them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from tqdm import tqdm


def progress_bar(iterable: Iterable | None = None, **options) -> tqdm:
    """A tqdm bar that shows itself after two seconds, and only on a terminal.

    The environment variable ``SPECMUP_PROGRESS`` overrules: 1 shows it anywhere, 0 nowhere. A book
    being built has no terminal, so its pages hold no bars.
    """
    wish = os.environ.get("SPECMUP_PROGRESS")
    disable = None if wish is None else wish == "0"  # None: tqdm asks whether it is a terminal
    return tqdm(iterable, **{"disable": disable, "delay": 2.0, "leave": False} | options)


def duration(seconds: float) -> str:
    """A time as one would say it, such as ``41 s``, ``12 min`` or ``2.5 h``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
