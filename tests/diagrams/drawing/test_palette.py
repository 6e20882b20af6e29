"""Every ink of diagrams can be read, in both themes."""

import re
from itertools import product

import pytest

from diagrams.drawing.palette import GROUNDS, INKS, PAGE, style_sheet


def luminance(colour: str) -> float:
    """Relative luminance of a colour, as the guidelines for accessibility define it."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("colours", "ratio"),
    [(("#ffffff", "#000000"), 21), (("#767676", "#ffffff"), 4.54), (("#123456", "#123456"), 1)],
)
def test_contrast_is_that_of_the_guidelines(colours, ratio):
    assert contrast(*colours) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("theme", PAGE)
def test_every_ink_is_legible_on_the_page_and_in_every_box(theme):
    grounds = {"page": PAGE[theme], **GROUNDS[theme]}
    pairs = product(INKS[theme].items(), grounds.items())
    faint = {(i, g): contrast(ink, ground) for (i, ink), (g, ground) in pairs}
    assert min(faint.values()) >= 4.5, min(faint, key=faint.get)


def test_both_themes_have_the_same_colours():
    assert INKS["light"].keys() == INKS["dark"].keys() == GROUNDS["light"].keys()
    assert GROUNDS["light"].keys() == GROUNDS["dark"].keys()


def test_the_style_sheet_defines_what_it_uses_in_both_themes():
    sheet = style_sheet()
    used = set(re.findall(r"var\((--[a-z-]+)\)", sheet))
    for scope in re.findall(r"svg\.diagram\{(--[^}]+)\}", sheet):
        assert set(re.findall(r"--[a-z-]+(?=:)", scope)) == used
    assert sheet.count("svg.diagram{--") == 4  # by the system and by the page, light and dark
