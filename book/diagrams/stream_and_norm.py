"""A stream read through a normalisation: only the shares count, so one factor moves everything."""

from __future__ import annotations

from dataclasses import dataclass

from diagrams.drawing.canvas import SMALL, Canvas

BLOCKS = 4
UNIT = 13  # height of an embedding of size one
BAR, APART = 18, 25
READ = 88  # height of what a block reads, which is always of one size


@dataclass(frozen=True)
class Stream:
    """An embedding and what every block adds to it, in the same unit."""

    embedding: float
    written: float
    says: str

    def after(self, block: int) -> float:
        """Size of the stream behind a block; every block writes in the same direction."""
        return self.embedding + block * self.written


# The second is the first, three times as large; the third has its blocks and not its embedding.
STREAMS = (
    Stream(1, 1 / 3, "embedding *e*, multiplier *α*"),
    Stream(3, 1, "embedding 3*e*, multiplier 3*α*"),
    Stream(1, 1, "embedding *e*, multiplier 3*α*"),
)
LINES = (110, 242, 374)  # on which the bars of each stream stand


def draw() -> Canvas:
    """For each stream its size from block to block, and what the last block's reader sees of it."""
    canvas = Canvas(400)
    canvas.text(12, 12, "the stream, block by block", "quiet", SMALL, "start")
    canvas.text(348, 12, "what is read", "quiet", SMALL, "end")
    for stream, ground in zip(STREAMS, LINES, strict=True):
        for block in range(BLOCKS + 1):
            _bar(canvas, 14 + APART * block, ground, stream, block, UNIT)
        canvas.text(14, ground + 14, stream.says, size=SMALL, anchor="start")
        canvas.line([(150, ground - 40), (178, ground - 40)])
        canvas.labelled_box((206, ground - 40), 56, "norm", "purple")
        canvas.line([(234, ground - 40), (286, ground - 40)], arrow=True)
        _bar(canvas, 292, ground, stream, BLOCKS, READ / stream.after(BLOCKS), wide=30)
    first, second, third = (ground - 40 for ground in LINES)
    canvas.line([(328, first), (340, first), (340, second), (328, second)], "green")
    canvas.text(334, (first + second) / 2 - 4, "the same", "green", SMALL, "end")
    canvas.text(334, third - READ / 2 - 18, "another", "orange", SMALL, "end")
    return canvas


def _bar(
    canvas: Canvas,
    x: float,
    ground: float,
    stream: Stream,
    block: int,
    unit: float,
    wide: float = BAR,
) -> None:
    """The stream behind a block: the embedding's part, and above it what the blocks wrote."""
    foot, top = unit * stream.embedding, unit * stream.after(block)
    canvas.box(x, ground - foot, wide, foot, "green", corner=0)
    if block:
        canvas.box(x, ground - top, wide, top - foot, "blue", corner=0)
