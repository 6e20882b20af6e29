"""What L blocks may each contribute: squares add at the start, lengths add in training."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.condition import ALIGNED_SHARE, INDEPENDENT_SHARE

BLOCKS = 16
SIDE = 128  # of the square of area one, and the length of one


def draw() -> Canvas:
    """The unit square from small squares at the left, the unit length from pieces at the right."""
    canvas = Canvas(276)
    _squares(canvas, 22)
    _pieces(canvas, 208)
    return canvas


def _squares(canvas: Canvas, left: float) -> None:
    share = INDEPENDENT_SHARE.evaluate(1, BLOCKS)
    middle, side = left + SIDE / 2, SIDE * share
    _title(canvas, middle, "at the start", "independent: squares add")
    for place in range(BLOCKS):
        row, column = divmod(place, round(1 / share))
        canvas.box(left + side * column, 60 + side * row, side, side, "blue", corner=0)
    canvas.text(middle, 208, "*L* · *α*^{2} = 1", "blue")
    _answer(canvas, middle, written.order(INDEPENDENT_SHARE), share, "blue")


def _pieces(canvas: Canvas, left: float) -> None:
    share = ALIGNED_SHARE.evaluate(1, BLOCKS)
    middle, piece = left + SIDE / 2, SIDE * share
    _title(canvas, middle, "one step", "aligned: lengths add")
    for place in range(BLOCKS):
        canvas.box(
            left + piece * place, 60 + piece * (BLOCKS - 1 - place), piece, piece, "orange", 0
        )
    canvas.line([(left, 188), (left, 194), (left + SIDE, 194), (left + SIDE, 188)], "orange", 1)
    canvas.text(middle, 208, "*L* · *α* = 1", "orange")
    _answer(canvas, middle, written.order(ALIGNED_SHARE), share, "orange")


def _title(canvas: Canvas, middle: float, when: str, how: str) -> None:
    canvas.text(middle, 14, when, bold=True)
    canvas.text(middle, 36, how, "quiet", SMALL)


def _answer(canvas: Canvas, middle: float, order: str, share: float, colour: str) -> None:
    canvas.text(middle, 236, f"*α* = {order}", colour, bold=True)
    of_sixteen = f"{BLOCKS} blocks: {written.number(share)} each"
    canvas.text(middle, 260, of_sixteen, "quiet", SMALL)
