"""The recipe: four boxes from a condition and an update rule to a learning rate."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.rules import solved_layers
from specmup.theory.update import update_law

OPTIMIZERS = ("adamw", "sgd")
BOXES = (
    ("needed", "‖Δ*W*‖, from the condition", "blue"),
    ("the gradient", "‖*G*‖, from what the loss feels", "ink"),
    ("given", "‖*A*‖, from the optimizer", "orange"),
    ("their quotient", "*η* = ‖Δ*W*‖ / ‖*A*‖", "green"),
)
LEFT, WIDE, HIGH, APART = 34, 192, 52, 72


def draw() -> Canvas:
    """The boxes one below the other, beside them a hidden matrix under two optimizers."""
    canvas = Canvas(326)
    layer = solved_layers(2)["hidden"]
    canvas.text(10, 18, "a matrix of a branch, *k* = 2", "quiet", SMALL, "start")
    for row, (title, what, colour) in enumerate(BOXES):
        y = 40 + APART * row
        canvas.box(LEFT, y, WIDE, HIGH, colour)
        canvas.text(LEFT + 10, y + 17, f"{row + 1} {title}", colour, anchor="start", bold=True)
        canvas.text(LEFT + 10, y + 37, what, size=SMALL, anchor="start")
    for row in (1, 2):
        canvas.line([(130, 40 + APART * row + HIGH), (130, 40 + APART * (row + 1))], arrow=True)
    needed, quotient = 40 + HIGH / 2, 40 + 3 * APART + HIGH / 2
    canvas.line([(LEFT, needed), (14, needed), (14, quotient), (LEFT, quotient)], arrow=True)
    for x, name in zip((266, 326), OPTIMIZERS, strict=True):
        law = update_law(name)
        canvas.text(x, 18, law.title, bold=True)
        sizes = (
            layer.update_norm,
            layer.layer.gradient.rms_operator,
            law.step(layer.layer).rms_operator,
            layer.rule(law).learning_rate,
        )
        for row, ((*_, colour), size) in enumerate(zip(BOXES, sizes, strict=True)):
            canvas.text(x, 40 + APART * row + HIGH / 2, written.order(size), colour)
    return canvas
