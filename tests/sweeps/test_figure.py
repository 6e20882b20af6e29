"""The figure of a sweep: which axes there are, what they share, and what is left out."""

import math

import pytest
from matplotlib import pyplot as plt

from specmup.figures.style import size_colours
from specmup.runs.job import Record
from specmup.runs.store import RunError
from specmup.sweeps.collect import frame_of
from specmup.sweeps.figure import draw
from specmup.sweeps.growth import requested_runs

BASE = {"width": 8, "depth": 1}


def frame(sweep, keep=lambda run: True):
    def loss(run):
        return math.inf if run.log2_lr > -4 else (run.log2_lr + 6) ** 2 + run.width / 64

    return frame_of(
        [
            Record(run, {"loss": loss(run), "train_loss": 1.0, "diverged_at": -1}, {})
            for run in requested_runs(sweep, {})
            if keep(run)
        ]
    )


@pytest.fixture
def drawn():
    """Draws, and closes what was drawn."""
    yield lambda frame: draw(frame, BASE)
    plt.close("all")


def test_a_row_an_axis_of_growth_and_a_column_a_rule(sweeps, drawn):
    sweep = sweeps.make(widths=[8, 16, 32], depths=[1, 2], rules=["sp", "k2"])
    axes = drawn(frame(sweep)).axes
    assert [ax.get_title() for ax in axes] == ["SP", "k ≥ 2"] * 2
    assert [ax.get_ylabel() for ax in axes] == ["AdamW\nloss", ""] * 2
    legends = [ax.get_legend() for ax in axes]
    assert [legend is None for legend in legends] == [True, False] * 2
    assert [text.get_text() for text in legends[1].get_texts()] == ["8", "16", "32"]
    # Rows may have different learning rates, so each shows its own.
    assert all(any(t.get_text() for t in ax.get_xticklabels()) for ax in axes)


def test_colours_mean_the_same_where_runs_are_missing(sweeps, drawn):
    sweep = sweeps.make(widths=[8, 16, 32], rules=["sp", "k2"])
    some = frame(sweep, lambda run: run.rule == "sp" or run.width > 8)
    own = size_colours([8, 16, 32], "width")
    for ax, sizes in zip(drawn(some).axes, ([8, 16, 32], [16, 32]), strict=True):
        lines = {
            line.get_label(): line.get_color()
            for line in ax.get_lines()
            if len(line.get_xdata()) > 1
        }
        assert lines == {str(size): own[size] for size in sizes}


def test_a_rule_with_one_size_is_left_out(sweeps, drawn):
    sweep = sweeps.make(widths=[8, 16], rules=["sp", "k1", "k2"])
    axes = drawn(frame(sweep, lambda run: run.rule != "k1" or run.width == 8)).axes
    assert [ax.get_title() for ax in axes] == ["SP", "k ≥ 2"]


def test_nothing_to_draw(sweeps, drawn):
    sweep = sweeps.make(widths=[8, 16], rules=["sp"])
    for keep in (lambda run: run.width == 8, lambda run: run.log2_lr < -5):
        with pytest.raises(RunError, match="two sizes of one axis at three learning rates"):
            drawn(frame(sweep, keep))
