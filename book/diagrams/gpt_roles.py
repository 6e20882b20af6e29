"""The roles of a GPT's parameters, and what the rule asks of each under AdamW."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.order import ONE
from specmup.theory.rules import rules

COLOURS = {"input": "green", "hidden": "blue", "norm_gain": "purple", "output": "orange"}
STREAM, RETURN = 24, 40  # where the stream stands; how far above its branch the way back lies
SAYS = 230


def draw() -> Canvas:
    """From tokens at the bottom to logits at the top; at the right what each role gets."""
    canvas = Canvas(424)
    canvas.line([(STREAM, 398), (STREAM, 26)], width=3, arrow=True)
    canvas.text(10, 412, "tokens", "quiet", SMALL, "start")
    canvas.text(10, 14, "logits", "quiet", SMALL, "start")
    canvas.labelled_box((58, 368), 100, "embedding", COLOURS["input"])
    canvas.labelled_box((58, 50), 100, "readout", COLOURS["output"])
    canvas.labelled_box((58, 88), 100, "last norm", COLOURS["input"])
    canvas.box(4, 116, 216, 226, "quiet")
    canvas.line([(STREAM, 342), (STREAM, 116)], width=3)
    canvas.text(212, 130, "*L* blocks", "quiet", SMALL, "end")
    _branch(canvas, 208, "perceptron", ("up", "down"))
    _branch(canvas, 310, "attention", ("Q, K, V", "O"))
    _says(canvas, 50, "output", "readout")
    _says(canvas, 160, "hidden", "branch matrices")
    _says(canvas, 268, "norm_gain", "gains in branches")
    _says(canvas, 352, "input", "embedding,", "last norm's gain")
    return canvas


def _branch(canvas: Canvas, y: float, title: str, maps: tuple[str, str]) -> None:
    """Out of the stream through a norm and two maps, and back to it above."""
    canvas.line([(STREAM, y), (44, y)], arrow=True)
    canvas.labelled_box((66, y), 44, "norm", COLOURS["norm_gain"], size=SMALL)
    for x, name in zip((126, 186), maps, strict=True):
        canvas.labelled_box((x, y), 54, name, COLOURS["hidden"], size=SMALL)
    canvas.line([(88, y), (99, y)])
    canvas.line([(153, y), (159, y)])
    back = y - RETURN
    canvas.line([(213, y), (216, y), (216, back), (STREAM + 9, back)], arrow=True)
    canvas.labelled_box((126, back), 32, "*α*", COLOURS["hidden"], height=24)
    canvas.sum_of((STREAM, back))
    canvas.text(150, y + 24, title, "quiet", SMALL)


def _says(canvas: Canvas, y: float, role: str, *names: str) -> None:
    """What the rule makes of a role's base values, from the line ``y`` on."""
    rule = rules("adamw", block_depth=2)[role]
    for line, name in enumerate(names):
        canvas.text(SAYS, y + 17 * line, name, COLOURS[role], SMALL, "start", bold=True)
    below = y + 17 * len(names)
    front = {"output": "in front", "hidden": "*α*"}.get(role)
    told = [(front, rule.multiplier)] if front else []
    if role != "norm_gain":
        told.append(("start", rule.init_variance ** "1/2"))
    told.append(("*η*", rule.learning_rate))
    for line, (what, factor) in enumerate(told):
        said = "as tuned" if factor == ONE else f"× {written.ratio(factor)}"
        canvas.text(SAYS, below + 17 * line, f"{what} {said}", size=SMALL, anchor="start")
