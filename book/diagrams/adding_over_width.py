"""One output is a sum of n terms: at random they mostly cancel, in an update they all agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from random import Random

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.order import WIDTH, Order
from specmup.theory.rules import rules, solved_layers

INPUTS = 64
LEFT, RIGHT, GROUND, UNIT = 26, 198, 244, 26  # UNIT: the height of one


def draw() -> Canvas:
    """Three sums as they grow term by term, with the order of each."""
    canvas = Canvas(322)
    start = solved_layers(2)["hidden"].layer.init_std
    step = rules("adamw", block_depth=2)["hidden"].learning_rate
    canvas.text(LEFT + 10, 14, "sum of the first *i* terms", "quiet", SMALL, "start")
    canvas.line([(LEFT, GROUND), (RIGHT + 12, GROUND)], "quiet", 1, arrow=True)
    canvas.line([(LEFT, GROUND + 56), (LEFT, 10)], "quiet", 1, arrow=True)
    canvas.text(RIGHT + 4, GROUND + 18, f"*i* = *n* = {INPUTS}", "quiet", SMALL, "end")
    for value in (1.0, (start * WIDTH).evaluate(INPUTS, 1)):
        canvas.text(LEFT - 8, GROUND - UNIT * value, f"{value:g}", "quiet", SMALL, "end")
    equal, random = [1] * INPUTS, Random(12)
    _sum(canvas, equal, start, "orange")
    _sum(canvas, equal, step, "green")
    _sum(canvas, [random.choice((-1, 1)) for _ in equal], start, "blue")
    _says(canvas, 40, "an update whose", start, start * WIDTH, "orange")
    _says(canvas, 194, "an update whose", step, step * WIDTH, "green")
    _says(canvas, 274, "a weight whose", start, start * WIDTH ** "1/2", "blue")
    return canvas


def _sum(canvas: Canvas, signs: Sequence[int], entry: Order, colour: str) -> None:
    """How a sum of entries with these signs grows."""
    size, along = entry.evaluate(INPUTS, 1), (RIGHT - LEFT) / INPUTS
    sums = accumulate(signs, initial=0)
    points = [(LEFT + along * i, GROUND - UNIT * size * s) for i, s in enumerate(sums)]
    canvas.line(points, colour, 2)


def _says(canvas: Canvas, y: float, what: str, entry: Order, total: Order, colour: str) -> None:
    lines = (what, f"entries are {written.order(entry)}:", f"sum {written.order(total)}")
    for line, words in enumerate(lines):
        last = line == len(lines) - 1
        canvas.text(RIGHT + 16, y + 17 * line, words, colour, SMALL, "start", bold=last)
