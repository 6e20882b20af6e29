"""How one learning rate travels: from the base's value by a role's factor to a parameter group."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.order import Order
from specmup.theory.rules import solved_layers
from specmup.theory.update import update_law

WIDER, DEEPER = 4, 4  # r_n and r_L of the example
ROLES = (  # name, role, whether the multiplier is folded into it, colour
    ("embedding", "input", False, "green"),
    ("first map of a branch", "hidden", False, "blue"),
    ("last map of a branch", "hidden", True, "blue"),
    ("gain of a norm", "norm_gain", False, "purple"),
    ("readout", "output", True, "orange"),
)
TOP, APART = 126, 52


def draw() -> Canvas:
    """The tuned rate at the top, below it a row for each kind of parameter."""
    canvas = Canvas(366)
    canvas.box(10, 8, 150, 44, "ink")
    canvas.text(85, 22, "tuned on the base", "quiet", SMALL)
    canvas.text(85, 40, "one rate *η*", bold=True)
    canvas.text(172, 22, f"width × {WIDER}:  *r*_{{*n*}} = {WIDER}", size=SMALL, anchor="start")
    canvas.text(172, 42, f"depth × {DEEPER}:  *r*_{{*L*}} = {DEEPER}", size=SMALL, anchor="start")
    for x, title in ((34, "role"), (228, "× factor"), (318, "group's rate")):
        anchor = "start" if x < 100 else "middle"
        canvas.text(x, 88, title, "quiet", SMALL, anchor)
    for row, (name, role, folded, colour) in enumerate(ROLES):
        y = TOP + APART * row
        factor = _factor(role, folded)
        canvas.line([(20, 52 if row == 0 else y - APART), (20, y), (32, y)], "ink", arrow=True)
        canvas.box(34, y - 19, 148, 38, colour)
        canvas.text(42, y - 8 * folded, name, size=SMALL, anchor="start")
        if folded:
            inside = written.ratio(solved_layers(2)[role].multiplier)
            canvas.text(42, y + 9, f"{inside} folded in", size=SMALL, anchor="start")
        canvas.line([(182, y), (200, y)])
        canvas.text(228, y, written.ratio(factor), colour)
        canvas.line([(256, y), (278, y)], arrow=True)
        canvas.text(318, y, _times(factor.evaluate(WIDER, DEEPER)), bold=True)
    return canvas


def _factor(role: str, folded: bool) -> Order:
    """AdamW's factor on the learning rate."""
    layer = solved_layers(2)[role]
    return (layer.folded() if folded else layer).rule(update_law("adamw")).learning_rate


def _times(factor: float) -> str:
    """The base's rate, times a number."""
    return "*η*" if factor == 1 else f"*η*{written.number(factor).removeprefix('1')}"
