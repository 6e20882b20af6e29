"""The terms of a branch: a pair for one map; for two a square, whose corners force each other."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.condition import ResidualCondition, solve_condition

TOP, MIDDLE, BOTTOM = 62, 146, 230  # of the boxes
WIDE, HIGH = 84, 44


def draw() -> Canvas:
    """One map at the left, two at the right; the start at the bottom, one more moved above it."""
    canvas = Canvas(282)
    one, two = solve_condition(1), solve_condition(2)
    canvas.text(60, 16, "one map", bold=True)
    canvas.text(238, 16, "two maps", bold=True)
    canvas.line([(60, BOTTOM - HIGH / 2), (60, MIDDLE + HIGH / 2)], arrow=True)
    _corner(canvas, (60, MIDDLE), one, ("W1",))
    _corner(canvas, (60, BOTTOM), one, ())
    canvas.line([(120, 34), (120, 276)], "quiet", 1, dashed=True)
    for x, side in ((174, -1), (302, 1)):
        inner = 238 + 24 * side
        canvas.line([(inner, BOTTOM - HIGH / 2), (x, MIDDLE + HIGH / 2)], arrow=True)
        canvas.line([(x, MIDDLE - HIGH / 2), (inner, TOP + HIGH / 2)], arrow=True)
    _corner(canvas, (174, MIDDLE), two, ("W1",))
    _corner(canvas, (302, MIDDLE), two, ("W2",))
    _corner(canvas, (238, TOP), two, ("W1", "W2"))
    _corner(canvas, (238, BOTTOM), two, ())
    # Opposite corners have one product.
    for ends in ([(216, MIDDLE), (260, MIDDLE)], [(238, 84), (238, 208)]):
        canvas.line(ends, "quiet", 1, dashed=True)
    return canvas


def _corner(
    canvas: Canvas, at: tuple[float, float], condition: ResidualCondition, moved: tuple[str, ...]
) -> None:
    """A term: what has moved in it, and its size as the condition asks for it."""
    x, y = at
    if moved:
        names = moved if condition.block_depth > 1 else ("W",)
        says, colour = ", ".join(written.matrix(name, True) for name in names), "orange"
        size = written.order(condition.share(len(moved)))
    else:
        says, colour = "the start", "blue" if condition.start else "green"
        size = written.order(condition.start_size)
        forced = "forced" if condition.start else "free up to this"
        canvas.text(x, y + 34, forced, colour, SMALL)
    canvas.box(x - WIDE / 2, y - HIGH / 2, WIDE, HIGH, colour)
    canvas.text(x, y - 9, says, size=SMALL)
    canvas.text(x, y + 10, size, colour, bold=True)
