"""Draw the README's figure from the stored results: ``python tools/draw_readme_figure.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

from specmup.figures.plots import learning_rate_curves, use_style
from specmup.runs.results import load

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "book" / "_static" / "learning-rates.svg"
TITLES = {"sp": "standard parametrization", "k2": "scaled by the rules"}


def draw(path: Path) -> None:
    """Write the figure: loss against base learning rate over widths, under two rules."""
    use_style()
    runs = load("digits-transfer", ROOT / "book" / "results").frame.query(
        "optimizer == 'adamw' and depth == 4 and log2_lr >= -13 and log2_lr <= -5"
    )
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for ax, (rule, title) in zip(axes, TITLES.items(), strict=True):
        learning_rate_curves(ax, runs[runs.rule == rule], by="width", ceiling=1.0)
        ax.set_title(title)
    axes[1].set_ylabel("")
    axes[0].get_legend().remove()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    draw(FIGURE)
