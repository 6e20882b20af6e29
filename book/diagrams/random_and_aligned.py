"""Sums of equally long vectors: in random directions, and all in one."""

from __future__ import annotations

import math
from random import Random

from diagrams.drawing import written
from diagrams.drawing.canvas import WIDTH, Canvas, Point
from specmup.theory.condition import ALIGNED_SHARE, INDEPENDENT_SHARE
from specmup.theory.order import ONE, Order

COUNT = 16  # vectors in each sum
UNIT = 17  # length of one
WALKS, SHOWN = 24, 3  # sums whose ends are marked; those whose path is drawn


def draw() -> Canvas:
    """Random walks above, within a circle of the length that they have on average; a line below."""
    canvas = Canvas(362)
    centre = (WIDTH / 2, 158)
    radius = UNIT * (ONE / INDEPENDENT_SHARE).evaluate(1, COUNT)
    canvas.text(8, 12, f"{COUNT} vectors, directions at random", anchor="start", bold=True)
    canvas.ring(centre, radius, "blue", dashed=True)
    walks = [_walk(Random(seed), centre) for seed in range(WALKS)]
    for walk in walks:
        canvas.dot(walk[-1], 3, "blue")
    for walk in walks[1:SHOWN]:
        canvas.line(walk, "quiet", 1)
    canvas.line(walks[0], "ink", 2)
    canvas.dot(centre, 4, "ink")
    canvas.text(8, 34, f"length about {_sum(INDEPENDENT_SHARE)}", "blue", anchor="start")
    canvas.text(8, 308, "the same, aligned", anchor="start", bold=True)
    start = (WIDTH - UNIT * COUNT) / 2
    for i in range(COUNT):
        x = start + UNIT * i
        canvas.line([(x, 352), (x + UNIT - 1, 352)], "orange", 2, arrow=True)
    canvas.text(8, 330, f"length {_sum(ALIGNED_SHARE)}", "orange", anchor="start")
    return canvas


def _sum(share: Order) -> str:
    """Length of a sum whose every term is one: what each could be for a sum of one, turned over."""
    length = ONE / share
    return f"{written.order(length)} = {length.evaluate(1, COUNT):g}"


def _walk(random: Random, start: Point) -> list[Point]:
    points = [start]
    for _ in range(COUNT):
        angle = 2 * math.pi * random.random()
        x, y = points[-1]
        points.append((x + UNIT * math.cos(angle), y + UNIT * math.sin(angle)))
    return points
