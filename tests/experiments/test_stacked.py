"""The narrow variant of figures, as the book's cells display it."""

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbclient import NotebookClient

from experiments.reading.stacked import NARROW, WIDTH, columns, stack, variant


@pytest.fixture
def two_by_two():
    """Four panels: titles above, labels outside; the second column has a range of its own."""
    figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained", sharex="col")
    for column, title in enumerate(("wide", "deep")):
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel(f"size, {title}")
        for row in (0, 1):
            axes[row, column].plot([0, 1], [0, 10**column], label="one")
            axes[row, column].set_ylim(0, 10**column)
    for row in (0, 1):
        axes[row, 0].set_ylabel(f"row {row}")
    axes[1, 1].set_title("its own")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    yield figure, axes
    plt.close(figure)


def test_panels_lie_below_each_other_row_by_row(two_by_two):
    figure, axes = two_by_two
    assert columns(figure) == 2
    stack(figure)
    assert columns(figure) == 1
    assert figure.get_size_inches() == pytest.approx((WIDTH, 12))  # each as high as it was
    figure.draw_without_rendering()
    tops = [ax.get_position().y1 for ax in axes.flatten()]
    assert tops == sorted(tops, reverse=True)
    assert len({round(ax.get_position().x0, 3) for ax in axes.flatten()}) == 1


def test_a_panel_says_what_it_had_in_common_where_the_range_is_the_same(two_by_two):
    figure, axes = two_by_two
    stack(figure)
    said = [(ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) for ax in axes.flatten()]
    assert said == [
        ("wide", "size, wide", "row 0"),
        ("deep", "size, deep", ""),
        ("wide", "size, wide", "row 1"),
        ("its own", "size, deep", ""),
    ]
    assert all(tick.label1.get_visible() for ax in axes.flatten() for tick in ax.xaxis.majorTicks)


def test_the_legend_keeps_its_words(two_by_two):
    figure, _ = two_by_two
    stack(figure)
    assert [[text.get_text() for text in one.get_texts()] for one in figure.legends] == [["one"]]


@pytest.mark.parametrize("shown", [3, "text", None])
def test_what_is_no_figure_has_no_variant(shown):
    assert variant(shown) is None


def test_cells_display_both_variants_whatever_format_is_chosen():
    source = (
        "import matplotlib.pyplot as plt\nfrom specmup.figures import plots\nplots.use_style()\n"
    )
    cells = [f"{source}plt.subplots(1, 2);", "plt.subplots(2, 1);"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    kernel = ["--ext=experiments.reading.stacked"]
    NotebookClient(book, timeout=120, extra_arguments=kernel).execute()
    (several,), (single,) = (cell.outputs for cell in book.cells)
    assert NARROW not in single.metadata
    drawings = several.data["image/svg+xml"], several.metadata[NARROW]
    wide, narrow = (float(svg.split('width="')[1].split("pt")[0]) for svg in drawings)
    assert narrow == pytest.approx(72 * WIDTH, rel=0.05)
    assert wide > narrow
