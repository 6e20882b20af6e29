import io
import re
from itertools import pairwise
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from nbclient import NotebookClient

from specmup.analysis.fit import fit_exponents
from specmup.figures import plots
from specmup.figures.axes import BAND
from specmup.theory.order import Order

ROOT = Path(__file__).parents[2]
GROUNDS = ("#ffffff", "#121212")

# Machado, Oliveira and Fernandes (2009), severity 1, applied to linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour):
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return linear(colour) @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """Contrast ratio of WCAG 2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def oklab(colour, vision="normal"):
    """Perceptually uniform coordinates (Ottosson 2020) of a colour as an eye sees it."""
    rgb = np.clip(VISION[vision] @ linear(colour), 0, 1)
    lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(lab) @ np.cbrt(np.array(lms) @ rgb)


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plots.use_style()
        yield


@pytest.fixture
def ax():
    return Figure().subplots()


def every_colour():
    ramps = [c for by in plots.RAMPS for c in plots.size_colours(range(15), by).values()]
    return [plots.INK, *plots.COLOURS.values(), *ramps]


@pytest.mark.parametrize("ground", GROUNDS)
def test_every_colour_shows_on_both_grounds(ground):
    assert min(contrast(c, ground) for c in every_colour()) >= 3


def test_text_has_the_contrast_of_text_on_light_pages_and_brightened_on_dark_ones():
    style = (ROOT / "book/_static/specmup.css").read_text()
    share = float(re.search(r'"dark"\].*?img\[.*?brightness\(([\d.]+)\)', style, re.DOTALL)[1])
    brightened = [min(1.0, share * part) for part in to_rgb(plots.INK)]
    assert contrast(plots.INK, GROUNDS[0]) >= 4.5
    assert contrast(brightened, GROUNDS[1]) >= 4.5


@pytest.mark.parametrize("by", plots.RAMPS)
def test_ramps_brighten_from_small_to_large(by):
    lightness = [oklab(c)[0] for c in plots.size_colours(range(9), by).values()]
    assert np.diff(lightness).min() > 0


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("by", plots.RAMPS)
def test_neighbouring_sizes_can_be_told_apart(by, vision):
    seen = [oklab(c, vision) for c in plots.size_colours(range(5), by).values()]
    steps = [np.linalg.norm(b - a) for a, b in pairwise(seen)]
    assert min(steps) > 0.025  # about 0.02 is just noticeable side by side


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("family", [("sp", "k1", "k2"), ("sgd", "adamw", "muon-kimi")])
def test_names_of_one_family_can_be_told_apart(family, vision):
    seen = [oklab(plots.colour(name), vision) for name in family]
    assert min(np.linalg.norm(seen[i] - seen[i - 1]) for i in range(3)) > 0.08
    assert len({plots.MARKERS[name] for name in family}) == 3


def test_what_has_no_colour_is_an_error():
    with pytest.raises(ValueError, match="sp, k1, k2"):
        plots.colour("mup")
    with pytest.raises(ValueError, match="width, depth, step"):
        plots.size_colours([1, 2], by="height")


def curves(axis="depth", sizes=(4, 16, 64), grid=range(-10, -2)):
    return pd.DataFrame(
        {axis: size, "log2_lr": x, "seed": s, "loss": 0.3 + 0.1 * (x - at) ** 2 + 0.01 * s}
        for size, at in zip(sizes, (-6.25, -7.25, -8.25), strict=True)
        for s in range(3)
        for x in map(float, grid)
    )


def points(ax, marker):
    return [line.get_xydata() for line in ax.lines if line.get_marker() == marker]


@pytest.mark.parametrize("axis", ["width", "depth"])
def test_curves_mark_their_optima(ax, axis):
    plots.learning_rate_curves(ax, curves(axis), axis)
    assert np.concatenate(points(ax, "o")) == pytest.approx(
        np.array([(-6.25, 0.31), (-7.25, 0.31), (-8.25, 0.31)])
    )
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["4", "16", "64"]
    assert not points(ax, "^")


def test_an_optimum_on_the_edge_is_hollow(ax):
    plots.learning_rate_curves(ax, curves(grid=range(-8, -2)), "depth")
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert [face == "none" for face in faces] == [False, False, True]


def test_an_optimum_beside_a_rate_off_the_scale_is_hollow_and_lies_on_its_curve(ax):
    frame = curves(sizes=(4, 16, 64))
    beside = (frame.depth == 4) & (frame.log2_lr == -5)
    frame.loc[beside, "loss"] = 1000.0  # no parabola through this says where the optimum is
    plots.learning_rate_curves(ax, frame, "depth", ceiling=2.0)
    lowest = frame[(frame.depth == 4) & (frame.log2_lr == -6)].loss.mean()
    (circle, *_), faces = zip(
        *(
            (line.get_xydata(), line.get_markerfacecolor())
            for line in ax.lines
            if line.get_marker() == "o"
        ),
        strict=True,
    )
    assert circle[0] == pytest.approx([-6, lowest])
    assert [face == "none" for face in faces] == [True, False, False]


def test_diverged_rates_are_marked_above_the_scale(ax):
    frame = curves()
    frame.loc[(frame.depth == 64) & (frame.log2_lr == -3) & (frame.seed == 1), "loss"] = inf
    plots.learning_rate_curves(ax, frame, "depth")
    (triangle,) = points(ax, "^")
    assert triangle[0, 0] == -3
    largest = frame.groupby(["depth", "log2_lr"]).loss.mean().replace(inf, 0).max()
    drawn = ax.get_ylim()[0] + triangle[0, 1] * np.ptp(ax.get_ylim())
    assert drawn > largest
    assert max(ax.get_yticks()) <= largest
    assert "diverged" in [text.get_text() for text in ax.texts]


def test_losses_above_the_ceiling_are_off_the_scale_not_lost(ax):
    frame = curves()
    plots.learning_rate_curves(ax, frame, "depth", ceiling=1.0)
    means = frame.groupby(["depth", "log2_lr"]).loss.mean()
    assert sum(map(len, points(ax, "^"))) == (means > 1).sum() > 0
    assert "off scale" in [text.get_text() for text in ax.texts]


def test_a_logarithmic_loss_axis_keeps_every_loss_and_a_positive_range(ax):
    frame = curves()
    ax.set_yscale("log")
    plots.learning_rate_curves(ax, frame, "depth")
    low, high = ax.get_ylim()
    means = frame.groupby(["depth", "log2_lr"])["loss"].mean()
    assert 0 < low < means.min() and high > means.max() * (1 - 1e-9)


def test_all_diverged_is_drawn(ax):
    plots.learning_rate_curves(ax, curves().assign(loss=inf), "depth")
    assert sum(map(len, points(ax, "^"))) == 24


def test_axes_that_share_a_scale_keep_it():
    left, right = Figure().subplots(1, 2, sharey=True)
    lower = curves().assign(loss=lambda f: f.loss / 10)
    plots.learning_rate_curves(left, lower, "depth", ceiling=1.0)
    plots.learning_rate_curves(right, curves(), "depth", ceiling=1.0)
    assert left.get_ylim()[0] < 0.031
    edge = 1 - BAND
    for each in (left, right):
        low, high = each.get_ylim()
        assert low + edge * (high - low) == pytest.approx(1.0)


def coordinates():
    return pd.DataFrame(
        {"width": n, "depth": L, "step": t, "seed": s, "size": t * L**-0.5 * np.exp(0.1 * s)}
        for n in (64, 128, 256)
        for L in (4, 8, 16)
        for t in range(1, 6)
        for s in (-1, 0, 1)
    )


def test_coordinate_curves_are_geometric_means(ax):
    frame = coordinates()
    plots.coordinate_curves(ax, frame[frame.depth == 4])
    assert len(points(ax, "o")) == 3
    for line in points(ax, "o"):
        assert line == pytest.approx(np.array([(t, t / 2) for t in range(1, 6)]))
    assert ax.get_yscale() == "log"


def test_coordinate_curves_against_a_size(ax):
    frame = coordinates()
    plots.coordinate_curves(ax, frame[frame.width == 64], x="depth", by="step")
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["4", "8", "16"]
    assert ax.get_legend().get_title().get_text() == "training step"


def test_diverged_coordinates_are_marked(ax):
    frame = coordinates()
    frame.loc[(frame.width == 256) & (frame.step == 5) & (frame.seed == 0), "size"] = inf
    plots.coordinate_curves(ax, frame[frame.depth == 4])
    (triangle,) = points(ax, "^")
    assert triangle[0, 0] == 5


def test_scaling_draws_both_slopes_through_the_centre(ax):
    L = np.repeat([4.0, 8.0, 16.0, 32.0], 3)
    size = 2 * L**-0.4 * np.tile([0.9, 1.0, 1.1], 4)
    fit = fit_exponents(size, 64, L, seed=np.tile([0, 1, 2], 4))
    plots.scaling(ax, size, L, axis="depth", fit=fit, predicted=Order(depth="-1/2"), name="k1")
    slopes = {}
    for line in ax.lines:
        if line.get_linestyle() in ("-", "--") and line.get_marker() in ("None", None, ""):
            x, y = np.log(line.get_xydata()).T
            slopes[line.get_linestyle()] = np.polyfit(x, y, 1)[0]
    assert slopes == pytest.approx({"-": -0.4, "--": -0.5})
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["k1, slope −0.40 ± <0.01", "predicted −1/2"]


def test_scaling_without_a_fit(ax):
    plots.scaling(ax, [1.0, 2.0], [64, 128], axis="width")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["measured"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda ax: plots.learning_rate_curves(ax, curves()[:0], "depth"), "empty"),
        (lambda ax: plots.learning_rate_curves(ax, curves(), "width"), "lacks"),
        (lambda ax: plots.coordinate_curves(ax, coordinates()[:0]), "empty"),
        (lambda ax: plots.coordinate_curves(ax, coordinates().assign(size=0.0)), "positive"),
        (lambda ax: plots.scaling(ax, [1, 2], [1], axis="depth"), "equal length"),
        (lambda ax: plots.scaling(ax, [1, inf], [1, 2], axis="depth"), "finite"),
        (
            lambda ax: plots.scaling(
                ax, [1, 2, 3], [1, 2, 4], axis="depth", fit=fit_exponents([1, 2, 3], [1, 2, 4])
            ),
            "no exponent along depth",
        ),
    ],
)
def test_bad_input(ax, draw, message):
    with pytest.raises(ValueError, match=message):
        draw(ax)


def svg_of_a_figure():
    figure = Figure()
    plots.learning_rate_curves(figure.subplots(), curves(), "depth")
    file = io.StringIO()
    figure.savefig(file, metadata={"Date": None})
    return file.getvalue()


def test_figures_are_the_same_bytes_each_time():
    assert svg_of_a_figure() == svg_of_a_figure()


def test_figures_are_svg_with_letters_as_text_on_a_transparent_ground():
    svg = svg_of_a_figure()
    tree = ElementTree.fromstring(svg)
    assert tree.tag.endswith("svg")
    texts = ["".join(e.itertext()) for e in tree.iter() if e.tag.endswith("}text")]
    assert "loss" in " ".join(texts) and "learning rate" in " ".join(texts)
    fills = set(re.findall(r"fill: (#[0-9a-f]{6})", svg))
    assert fills.isdisjoint({"#ffffff", "#000000"})
    assert plots.INK in fills


def test_a_notebook_shows_the_same_transparent_svg_each_time():
    cell = (
        "from matplotlib import pyplot as plt\n"
        "from specmup.figures.plots import use_style\n"
        "use_style()\n"
        "figure, ax = plt.subplots()\n"
        "ax.plot([0, 1], label='line')\n"
        "plt.show()"
    )
    cells = [nbformat.v4.new_code_cell(cell) for _ in range(2)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    first, second = (c.outputs for c in notebook.cells)
    assert [output.output_type for output in first] == ["display_data"]
    assert "image/png" not in first[0].data
    svg = first[0].data["image/svg+xml"]
    assert svg == second[0].data["image/svg+xml"]
    assert "dc:date" not in svg
    assert "#ffffff" not in svg
