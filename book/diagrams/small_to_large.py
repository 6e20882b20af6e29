"""Hyperparameter transfer: many runs of a small model, one of the large."""

from __future__ import annotations

from diagrams.drawing.canvas import SMALL, Canvas

RATES, BEST = 7, 3  # rates tried on the small model, and which of them is the best
FLOOR, BEND = 248, 7  # where the lowest loss lies, and how steeply the curve rises from it


def draw() -> Canvas:
    """At the left a small network and its sweep, at the right the large one and its single run."""
    canvas = Canvas(318)
    canvas.text(72, 14, "the base", bold=True)
    canvas.text(278, 14, "the target", bold=True)
    _network(canvas, (72, 84), layers=3, units=2)
    _network(canvas, (278, 84), layers=6, units=6)
    canvas.line([(134, 84), (206, 84)], "blue", 2, arrow=True)
    canvas.text(166, 66, "× rule", "blue", bold=True)
    canvas.text(166, 104, "by role", "blue", SMALL)
    _axes(canvas, 14)
    _axes(canvas, 220)
    points = [_point(72, place - BEST) for place in range(RATES)]
    canvas.line(points, "ink")
    for place, point in enumerate(points):
        canvas.dot(point, 5 if place == BEST else 3.5, "blue" if place == BEST else "ink")
    curve = [_point(278, place - BEST, lower=18) for place in range(RATES)]
    canvas.line(curve, "quiet", 1, dashed=True)
    canvas.dot(curve[BEST], 5, "blue")
    canvas.line([(80, FLOOR), (271, FLOOR + 18)], "blue", arrow=True)
    canvas.text(72, 306, f"{RATES} short runs", size=SMALL)
    canvas.text(278, 306, "1 long run", size=SMALL)
    return canvas


def _network(canvas: Canvas, centre: tuple[float, float], layers: int, units: int) -> None:
    """Layers as columns of units."""
    for layer in range(layers):
        x = centre[0] + 18 * (layer - (layers - 1) / 2)
        high = 17 * units + 5
        canvas.box(x - 8, centre[1] - high / 2, 16, high, "ink", corner=4)
        for unit in range(units):
            canvas.dot((x, centre[1] + 17 * (unit - (units - 1) / 2)), 4, "quiet")


def _axes(canvas: Canvas, left: float) -> None:
    canvas.line([(left, 160), (left, 284), (left + 128, 284)], "quiet", 1)
    canvas.text(left + 6, 162, "loss", "quiet", SMALL, "start")
    canvas.text(left + 128, 274, "*η*", "quiet", SMALL, "end")


def _point(middle: float, place: int, lower: float = 0) -> tuple[float, float]:
    return middle + 17 * place, FLOOR - BEND * place**2 + lower
