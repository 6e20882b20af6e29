"""Make ``book/_static/formulas.woff``, the font in which browsers set the book's formulas.

    .venv/bin/python tools/make_formula_font.py STIXTwoMath-Regular.ttf

It holds the signs that ``book/_ext/formula_signs.py`` knows, out of STIX Two Math, which comes
under the SIL Open Font License 1.1 (the package ziamath has the file). No fence or root in it is
taller than formulas here ask for, and all roots are as wide as the smallest: Chromium keeps room
for the widest beside each.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from formula_signs import characters  # noqa: E402

MADE = ROOT / "book" / "_static" / "formulas.woff"
TALLEST = 2500  # thousandths of an em
ROOT_SIGN = 0x221A
NAMES = [0, 1, 2, 4, 5, 13, 14]  # copyright, names, version and licence


def make(source: Path, made: Path) -> None:
    """Write the font with the book's signs alone."""
    options = subset.Options()
    options.hinting = False
    options.layout_features = []
    options.name_IDs = NAMES
    options.drop_tables += ["FFTM"]
    font = subset.load_font(str(source), options)
    low(font)
    narrow(font, font.getBestCmap()[ROOT_SIGN])
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=[ord(sign) for sign in characters()])
    chosen.subset(font)
    options.flavor = "woff"
    subset.save_font(font, str(made), options)


def heights(font: TTFont) -> dict[str, Any]:
    """What a sign may grow to in height, by the sign's glyph."""
    variants = font["MATH"].table.MathVariants
    return dict(zip(variants.VertGlyphCoverage.glyphs, variants.VertGlyphConstruction, strict=True))


def low(font: TTFont) -> None:
    """Drop what is taller than the tallest, and the parts of which more would be put together."""
    for grown in heights(font).values():
        kept = [one for one in grown.MathGlyphVariantRecord if one.AdvanceMeasurement <= TALLEST]
        grown.MathGlyphVariantRecord = kept
        grown.VariantCount = len(kept)
        if len(kept) > 1:  # else it is made of parts alone
            grown.GlyphAssembly = None  # last: what was not read yet is read at the first look


def narrow(font: TTFont, sign: str) -> None:
    """Make all heights of a sign as wide as the sign."""
    glyphs, widths = font["glyf"], font["hmtx"]
    width = widths[sign][0]
    for one in heights(font)[sign].MathGlyphVariantRecord:
        grown = glyphs[one.VariantGlyph]
        grown.coordinates.scale((width / widths[one.VariantGlyph][0], 1))
        grown.coordinates.toInt()
        grown.recalcBounds(glyphs)
        widths[one.VariantGlyph] = (width, grown.xMin)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the file of STIX Two Math")
    make(Path(sys.argv[1]), MADE)
    print(f"{MADE}, {MADE.stat().st_size / 1000:.0f} kB")
