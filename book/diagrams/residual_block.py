"""A residual block of two maps, and the four terms of what a step changes in it."""

from __future__ import annotations

from diagrams.drawing import written
from diagrams.drawing.canvas import SMALL, Canvas
from specmup.theory.condition import solve_condition

SAYS = {
    (): "passes on a change",
    ("W1",): "first map learns",
    ("W2",): "second map learns",
    ("W1", "W2"): "both learn",
}


def draw() -> Canvas:
    """The block above, a row for each set of maps that moved below."""
    canvas = Canvas(330)
    _block(canvas)
    condition = solve_condition(2)
    path = condition.paths[0]
    canvas.text(10, 142, "after a step: the change, by what moved", "quiet", SMALL, "start")
    canvas.text(350, 142, "size", "quiet", SMALL, "end")
    for row, moved in enumerate(((), *path.subsets())):
        y = 170 + 44 * row
        size = condition.share(len(moved)) if moved else condition.start_size
        canvas.text(10, y, _term(moved), anchor="start")
        for x, name in zip((82, 146), path.maps, strict=True):
            colour = "orange" if name in moved else "ink"
            canvas.labelled_box((x, y), 52, written.matrix(name, name in moved), colour)
        canvas.line([(108, y), (120, y)])
        canvas.text(182, y, SAYS[moved], size=SMALL, anchor="start")
        canvas.text(350, y, written.order(size), "blue", anchor="end")
    return canvas


def _term(moved: tuple[str, ...]) -> str:
    """The name that chapter 6 gives to a term."""
    which = f"^{{({moved[0][1:]})}}" if len(moved) == 1 else ""
    return f"*ε*_{{{len(moved)}}}{which}"


def _block(canvas: Canvas) -> None:
    stream, branch = 100, 42
    canvas.line([(10, stream), (318, stream)], width=3)
    canvas.line([(334, stream), (350, stream)], width=3, arrow=True)
    canvas.text(12, stream - 16, "*h*_{*l*−1}", anchor="start")
    canvas.text(350, stream - 18, "*h*_{*l*}", anchor="end")
    canvas.line([(60, stream), (60, branch), (82, branch)], arrow=True)
    canvas.labelled_box((110, branch), 52, written.matrix("W1"))
    canvas.line([(136, branch), (158, branch)], arrow=True)
    canvas.labelled_box((186, branch), 52, written.matrix("W2"))
    canvas.line([(212, branch), (234, branch)], arrow=True)
    canvas.labelled_box((252, branch), 32, "*α*", "blue")
    canvas.line([(268, branch), (326, branch), (326, stream - 10)], arrow=True)
    canvas.sum_of((326, stream))
    canvas.text(180, 14, "the branch", "quiet", SMALL)
    canvas.text(180, stream + 16, "the stream", "quiet", SMALL)
