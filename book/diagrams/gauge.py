"""A gauge: one factor that moves from in front of a weight into it, and what moves with it."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.order import ONE, Order
from specmup.theory.rules import solved_layers
from specmup.theory.update import update_law

COLUMNS = ((56, "in front"), (140, "norm of *W*"), (234, "*η*, AdamW"), (316, "*η*, SGD"))
HEAD, FIRST, APART = 20, 64, 70


def draw() -> Canvas:
    """Three gauges of a branch's last map in three rows; the factor is marked."""
    canvas = Canvas(268)
    layer = solved_layers(2)["hidden"]
    for x, title in COLUMNS:
        canvas.text(x, HEAD, title, "quiet", SMALL)
    for row, moved in enumerate(("0", "1/2", "1")):
        gauge = layer.regauged(ONE / layer.multiplier**moved)
        y = FIRST + APART * row
        front, norm = gauge.multiplier, gauge.layer.weight_norm
        canvas.labelled_box((56, y), 66, written.order(front), _marked(front), height=34)
        canvas.labelled_box((140, y), 66, written.order(norm), _marked(norm), height=34)
        canvas.line([(89, y), (107, y)])
        for (x, _), optimizer in zip(COLUMNS[2:], ("adamw", "sgd"), strict=True):
            rate = gauge.rule(update_law(optimizer)).learning_rate
            canvas.text(x, y, written.order(rate))
        if row:
            canvas.line([(64, y - APART + 19), (132, y - 19)], "orange", dashed=True, arrow=True)
    y = FIRST + APART * 2 + 38
    product = f"product always {written.order(layer.multiplier)}"
    canvas.text(98, y, product, "orange", SMALL)
    canvas.text(275, y, "the same function", "quiet", SMALL)
    return canvas


def _marked(size: Order) -> str:
    """The colour of what holds some of the factor."""
    return "ink" if size == ONE else "orange"
