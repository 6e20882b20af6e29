"""The atlas figure: one panel an optimizer, markers where the measurements are."""

import matplotlib.pyplot as plt
import pytest

from experiments.reading.cells import Cell
from experiments.reading.panels import RANGE, VERDICT_COLOURS, atlas_panels
from specmup.analysis.fit import fit_exponents
from specmup.theory.order import ONE, WIDTH


def cell(optimizer="adamw", exponent=0.0, order=ONE, axis="width"):
    sizes = [64, 128, 256]
    values = [n**exponent for n in sizes]
    fit = fit_exponents(values, sizes if axis == "width" else 64, sizes if axis == "depth" else 4)
    return Cell(optimizer, 2, "hidden", axis, "update", fit.verdict(order))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def markers(ax):
    return [line for line in ax.lines if line.get_marker() not in ("None", "")]


def test_a_panel_an_optimizer_with_an_axis_each():
    found = [cell(o, axis=a) for o in ("adamw", "sgd", "lion") for a in ("width", "depth")]
    fig = atlas_panels(found, "update")
    assert [ax.get_title(loc="left") for ax in fig.axes[::2]] == ["AdamW", "SGD", "Lion"]
    assert all(len(markers(ax)) == 1 for ax in fig.axes)


def test_a_marker_shows_the_measured_exponent_and_the_verdict():
    (ax, *_) = atlas_panels([cell(exponent=1.0), cell(axis="depth")], "update").axes
    (marker,) = markers(ax)
    assert marker.get_xdata()[0] == pytest.approx(1.0)
    assert marker.get_color() == VERDICT_COLOURS["disagrees"]
    (ax, *_) = atlas_panels([cell(exponent=1.0, order=WIDTH)], "update").axes
    assert markers(ax)[0].get_color() == VERDICT_COLOURS["agrees"]


def test_an_exponent_off_the_scale_is_held_at_the_edge():
    (ax, *_) = atlas_panels([cell(exponent=5.0)], "update").axes
    assert markers(ax)[0].get_xdata()[0] == RANGE[1]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no cell of quantity 'change'"):
        atlas_panels([cell()], "change")
