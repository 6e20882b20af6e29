"""Which rule: six questions, one below the other, and what each answer means."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.order import Order
from specmup.theory.rules import solved_layers
from specmup.theory.update import update_law

LEFT, WIDE, HIGH, APART = 6, 122, 44, 60
OTHERS = "others: a table each"
ANSWERS, ROOM = 154, 198  # where the boxes of answers begin, and how wide they are


def draw() -> Canvas:
    """A column of questions; beside each its answers, from the solver where they are orders."""
    law, one, more = update_law("adamw"), solved_layers(1), solved_layers(2)
    rule, readout = more["hidden"].rule(law), written.ratio(more["output"].rule(law).multiplier)
    decay = rule.weight_decay
    branch = [written.ratio(layers["hidden"].rule(law).multiplier) for layers in (one, more)]
    questions = (
        ("What grows?", "blue", "width alone: μP", "depth too: count maps"),
        ("Maps of a branch?", "blue", f"one: times {branch[0]}", f"more: times {branch[1]}"),
        ("Normalised?", "green", "yes: depth matters less", "no: try a middle size too"),
        ("Optimizer?", "orange", f"AdamW: hidden *η* {_times(rule.learning_rate)}", OTHERS),
        ("Tied embedding?", "purple", "keep the tie,", f"{readout} before the head"),
        ("Weight decay?", "purple", "more maps: keep *ηλ*", f"AdamW: hidden *λ* {_times(decay)}"),
    )
    canvas = Canvas(APART * len(questions) - 4)
    for row, (question, colour, *answers) in enumerate(questions):
        top = 6 + APART * row
        middle = top + HIGH / 2
        canvas.labelled_box((LEFT + WIDE / 2, middle), WIDE, question, colour, HIGH, SMALL)
        canvas.line([(LEFT + WIDE, middle), (ANSWERS, middle)], colour, arrow=True)
        canvas.box(ANSWERS, top, ROOM, HIGH, "quiet")
        for line, answer in zip((13, 32), answers, strict=True):
            canvas.text(ANSWERS + 8, top + line, answer, size=SMALL, anchor="start")
        if row:
            canvas.line([(LEFT + WIDE / 2, top - APART + HIGH), (LEFT + WIDE / 2, top)], arrow=True)
    return canvas


def _times(order: Order) -> str:
    """A factor in words."""
    return f"times {written.ratio(order)}"
