"""Style sheets and figures made lean: what is needed stays, and means what it meant."""

import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
from lazy_figures import delay, size
from lean_figures import lean_figure
from lean_files import make_lean
from lean_styles import used

NAMES = {"table", "show", "sd:x"}


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".table { color: red }", ".table{color: red}"),
        (".unknown { color: red }", ""),
        (".table .unknown, .table td { top: 0 }", ".table td{top: 0}"),
        ("p:not(.unknown) { top: 0 }", "p:not(.unknown){top: 0}"),
        (r".sd\:x { top: 0 }", r".sd\:x{top: 0}"),
        ("@media print { .unknown { top: 0 } .show { top: 0 } }", "@media print{.show{top: 0}}"),
        ("@media print { .unknown { top: 0 } }", ""),
        ("/* .a { */ p { top: 0 }", "p{top: 0}"),
        ('@import url("a.css"); p { top: 0 }', '@import url("a.css");\np{top: 0}'),
        ("@keyframes k { from { top: 0 } }", "@keyframes k{ from { top: 0 } }"),
        ("p { --icon: url('data:a/b;c,d'); top: 0 }", "p{--icon: url('data:a/b;c,d'); top: 0}"),
    ],
)
def test_rules_stay_that_a_page_can_meet(css: str, left: str):
    assert used(css, NAMES) == left


def test_a_rule_that_does_not_end_is_named():
    with pytest.raises(ValueError, match=r"'\.table' is not closed"):
        used(".table { color: red", NAMES)


@pytest.fixture(scope="module")
def figure(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("figures") / "figure.svg"
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, 1, 2], [0.123456, 1, 0.5], marker="o", label="a line of $n^2$")
    axes.legend(title="title")
    figure.savefig(path)
    plt.close(figure)
    return path.read_text()


def numbers(svg: str) -> list[float]:
    """What the figure's places say, in order."""
    places = re.findall(r' (?:d|x|y)="([^"]*)"', svg.split("</metadata>")[-1])
    return [float(one) for place in places for one in re.findall(r"-?\d+(?:\.\d+)?", place)]


def test_a_figure_in_fewer_letters_draws_the_same(figure: str):
    lean = lean_figure(figure)
    assert len(lean) < 0.75 * len(figure)
    assert numbers(lean) == pytest.approx(numbers(figure), abs=0.005)
    links = set(re.findall(r'(?:href="|url\()#([\w-]+)', lean))
    assert links == set(re.findall(r' id="([^"]*)"', lean))
    styles = dict(re.findall(r"\.(s\d+)\{([^}]*)\}", lean))
    told = [styles[name] for name in re.findall(r' class="(s\d+)"', lean)]
    assert told == re.findall(r' style="([^"]*)"', figure)
    assert lean_figure(lean) == lean


def test_a_scale_is_as_it_was():
    drawn = '<svg><style></style><g transform="translate(1.23456 0) scale(0.015625)"/></svg>'
    assert 'transform="translate(1.23 0) scale(0.015625)"' in lean_figure(drawn)


def test_a_figure_keeps_its_place_and_waits(figure: str, tmp_path: Path):
    wide, high = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', figure).groups()
    assert size(figure) == f'width="{float(wide) / 0.75:.0f}" height="{float(high) / 0.75:.0f}" '
    (tmp_path / "made.svg").write_text(figure)
    app = SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(images={"made.svg": "ab.svg"}))
    context = {"body": '<img alt="a" src="../_images/ab.svg" /> <img src="../_images/b.png">'}
    delay(app, "page", "", context, None)
    assert context["body"].startswith(f'<img loading="lazy" {size(figure)}alt="a" src=')
    assert context["body"].endswith('<img src="../_images/b.png">')


def test_a_build_that_failed_is_left_alone(tmp_path: Path):
    sheet = tmp_path / "_static" / "a.css"
    sheet.parent.mkdir()
    sheet.write_text(".unknown { top: 0 }")
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    make_lean(app, RuntimeError())
    assert sheet.read_text() == ".unknown { top: 0 }"
    (tmp_path / "page.html").write_text('<p class="known">')
    make_lean(app, None)
    assert sheet.read_text() == ""
