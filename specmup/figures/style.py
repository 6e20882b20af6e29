"""One figure style for the whole book, legible on white and on near-black pages.

Figures are SVG on a transparent ground. Every colour has a contrast of at least 3:1 against both
``#ffffff`` and ``#121212``. Text and axes have 4.5:1 against the light one. One colour cannot have
that against both: the book brightens figures on dark pages, and then it holds there too. Sizes are
ordered by colour and line width together, rules and optimizers by colour and marker, so that no
distinction rests on hue alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backend_bases import register_backend
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

from specmup.figures.letters import CanvasOfText
from specmup.runs.files import replacing

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

INK = "#737373"

# Lightness rises evenly along each ramp. Width runs as viridis does (blue, green), depth as plasma
# (violet, orange), steps as cividis (blue, grey, ochre), each cut to the lightness that both
# grounds allow.
RAMPS = {
    "width": ("#3b5bd4", "#0476b5", "#02849f", "#00908f", "#039b78", "#3ca445", "#859e05"),
    "depth": ("#8341be", "#a23faa", "#bc4090", "#ce4673", "#da5352", "#dd652c", "#d57d04"),
    "step": ("#3e66b3", "#5270a3", "#667891", "#7a7f7e", "#8e8567", "#a18a4b", "#b58e18"),
}

# Rules: Okabe and Ito's vermilion, purple and blue. Optimizers: grey, their green, and their orange
# darkened until it shows on white. Told apart within each family under the common colour-vision
# deficiencies; a figure encodes one family at a time.
COLOURS = {
    "sp": "#d55e00",
    "k1": "#cc79a7",
    "k2": "#0072b2",
    "sgd": "#6e6e6e",
    "adamw": "#009e73",
    "muon-kimi": "#b07d00",
}
MARKERS = {"sp": "o", "k1": "s", "k2": "D", "sgd": "v", "adamw": "^", "muon-kimi": "P"}
LABELS = {"width": "width $n$", "depth": "depth $L$", "step": "training step"}

STYLE: dict[RcKeyType, Any] = {
    "figure.figsize": (6.4, 3.8),
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "savefig.format": "svg",
    "svg.hashsalt": "specmup",  # element names do not change from build to build
    "font.family": "DejaVu Sans",  # shipped with matplotlib
    "font.size": 10.5,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.title_fontsize": 9.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}


def use_style() -> None:
    """Set the book's style, SVG with letters as text; in a notebook also make it reproducible."""
    mpl.rcParams.update(STYLE)
    register_backend("svg", CanvasOfText)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside a notebook neither is needed
        return
    if get_ipython() is not None:
        set_matplotlib_formats("svg", metadata={"Date": None})


def colour(name: str) -> str:
    """The fixed colour of a rule or an optimizer.

    Raises:
        ValueError: If it has none.
    """
    if name not in COLOURS:
        raise ValueError(f"{name!r} has no colour; these have: {', '.join(COLOURS)}")
    return COLOURS[name]


def size_colours(sizes: Iterable[float], by: str = "width") -> dict[float, str]:
    """A colour for each size, evenly spaced along the ramp from the smallest to the largest.

    Raises:
        ValueError: If ``by`` has no ramp.
    """
    if by not in RAMPS:
        raise ValueError(f"no ramp for {by!r}; there are ramps for {', '.join(RAMPS)}")
    ordered = sorted(set(sizes))
    ramp = LinearSegmentedColormap.from_list(by, RAMPS[by])
    at = np.linspace(0, 1, len(ordered)) if len(ordered) > 1 else [0.5]
    return {size: to_hex(ramp(t)) for size, t in zip(ordered, at, strict=True)}


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure in place of whatever has its name, a link too, and whole or not at all.

    Args:
        figure: What to write.
        path: The file; its ending decides the format.
    """
    path = Path(path)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:] or None)
