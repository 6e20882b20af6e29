"""The book's question and its answer, measured: loss against learning rate over the width."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from diagrams.drawing.canvas import SMALL, WIDTH, Canvas, Point
from specmup.analysis.optimum import optimum
from specmup.runs.results import load

RESULTS = Path(__file__).resolve().parents[1] / "results"
CHOSEN = "optimizer == 'adamw' and depth == 4 and -13 <= log2_lr <= -5"
RULES = {"sp": ("standard", "orange"), "k2": ("scaled by the rule", "blue")}
CEILING, FLOOR = 1.0, 0.03  # losses at the ends of the axis
FIRST, LAST = -13, -5  # rates there, as powers of two
WIDE, HIGH, TOP = 146, 150, 40


def draw() -> Canvas:
    """Two panels over one axis of losses; in each a curve a width, its best rate marked."""
    canvas = Canvas(250)
    runs = load("digits-transfer", RESULTS).frame.query(CHOSEN)
    for left, (rule, (title, colour)) in zip((42, 208), RULES.items(), strict=True):
        _axes(canvas, left, title, colour)
        own = runs[runs.rule == rule]
        widths = sorted(own.width.unique())
        for place, width in enumerate(widths):
            means = own[own.width == width].groupby("log2_lr").loss.mean()
            thick = 1 + 1.5 * place / (len(widths) - 1)
            _curve(canvas, left, means, colour, thick)
    canvas.text(8, 28, "loss", "quiet", SMALL, "start")
    canvas.text(199, 222, "learning rate *η*", "quiet", SMALL)
    says = f"thin to thick: *n* = {widths[0]} to {widths[-1]}; dots: each one's best rate"
    canvas.text(WIDTH / 2, 240, says, "quiet", SMALL)
    return canvas


def _axes(canvas: Canvas, left: float, title: str, colour: str) -> None:
    canvas.text(left + WIDE / 2, 14, title, colour, SMALL, bold=True)
    canvas.line([(left, TOP), (left, TOP + HIGH), (left + WIDE, TOP + HIGH)], "quiet", 1)
    for power in range(FIRST + 1, LAST, 3):
        x, _ = _place(left, power, 1)
        canvas.line([(x, TOP + HIGH), (x, TOP + HIGH + 4)], "quiet", 1)
        canvas.text(x, TOP + HIGH + 16, f"2^{{{power}}}".replace("-", "−"), "quiet", SMALL)
    for loss in (0.1, 0.3, 1.0):
        _, y = _place(left, FIRST, loss)
        canvas.line([(left - 4, y), (left, y)], "quiet", 1)
        if left < WIDE:
            canvas.text(left - 7, y, f"{loss:g}", "quiet", SMALL, "end")


def _curve(canvas: Canvas, left: float, means: pd.Series, colour: str, thick: float) -> None:
    """Draw the part of a curve below the ceiling, and its optimum."""
    shown = means[means <= CEILING]
    points = [_place(left, x, y) for x, y in zip(shown.index, shown, strict=True)]
    canvas.line(points, colour, thick)
    best = optimum(means.index, means)
    canvas.dot(_place(left, best.log2_lr, best.loss), 4, "ink")


def _place(left: float, log2_lr: float, loss: float) -> Point:
    across = (log2_lr - FIRST) / (LAST - FIRST)
    up = math.log(loss / FLOOR) / math.log(CEILING / FLOOR)
    return left + WIDE * across, TOP + HIGH * (1 - up)
