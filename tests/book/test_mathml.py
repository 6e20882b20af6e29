"""Formulas of TeX as MathML: what is written is what stands there, and nothing else passes."""

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from fontTools.ttLib import TTFont
from formula_signs import characters
from mathml import mathml
from set_formulas import macros_of

ROOT = Path(__file__).resolve().parents[2]
MACROS = macros_of(
    yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["formula_macros"]
)
H = "<mi>h</mi>"
MINUS = '<mo lspace="0" rspace="0">−</mo>'
TWO = "<mn>2</mn>"
OPEN, CLOSE = (f'<mo stretchy="false">{sign}</mo>' for sign in "()")
NORM = [f'<mo form="{form}" stretchy="false">‖</mo>' for form in ("prefix", "postfix")]


def inner(tex):
    """What stands in the element of a formula, which must be well formed."""
    told = mathml(tex, MACROS)
    ElementTree.fromstring(told)
    return told.removeprefix("<math>").removesuffix("</math>")


@pytest.mark.parametrize(
    ("tex", "told"),
    [
        ("h", H),
        (r"\Delta h", f'<mi mathvariant="normal">Δ</mi>{H}'),
        ("h_l", f"<msub>{H}<mi>l</mi></msub>"),
        ("h^2_l", f"<msubsup>{H}<mi>l</mi><mn>2</mn></msubsup>"),
        ("h'_l", f"<msub><mrow>{H}<mo>′</mo></mrow><mi>l</mi></msub>"),
        ("h_{l-1}", f"<msub>{H}<mrow><mi>l</mi>{MINUS}<mn>1</mn></mrow></msub>"),
        (r"n_\text{in}", "<msub><mi>n</mi><mtext>in</mtext></msub>"),
        ("64.5", "<mn>64.5</mn>"),
        ("64.", "<mn>64</mn><mtext>.</mtext>"),
        (r"\frac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"),
        (r"\tfrac1L", '<mfrac displaystyle="false"><mn>1</mn><mi>L</mi></mfrac>'),
        (r"1/\sqrt L", '<mn>1</mn><mo lspace="0" rspace="0">/</mo><msqrt><mi>L</mi></msqrt>'),
        (r"\opnorm h", f"<msub><mrow>{NORM[0]}{H}{NORM[1]}</mrow><mi>R</mi></msub>"),
        ("(2(h))^2", f"<msup><mrow>{OPEN}{TWO}{OPEN}{H}{CLOSE}{CLOSE}</mrow>{TWO}</msup>"),
        ("a = -h", f'<mi>a</mi><mo>=</mo><mo form="prefix">−</mo>{H}'),
        ("a - h", f"<mi>a</mi><mo>−</mo>{H}"),
        (r"\sum_l h", f"<munder><mo>∑</mo><mi>l</mi></munder>{H}"),
        (r"\log h", f'<mi>log</mi><mspace width="0.167em"></mspace>{H}'),
        (r"\sign(h)", f'<mi>sign</mi>{OPEN}{H}{CLOSE}'),
        (r"\hat h", f'<mover accent="true">{H}<mo stretchy="false">ˆ</mo></mover>'),
        (r"\underbrace{h}_l", f'<munder><mrow class="braced">{H}</mrow><mi>l</mi></munder>'),
        (r"\loss", "<mi>ℒ</mi>"),
        (r"W^\T", "<msup><mi>W</mi><mi>𝖳</mi></msup>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"\text{of $h$.}", f"<mrow><mtext>of\N{NO-BREAK SPACE}</mtext>{H}<mtext>.</mtext></mrow>"),
    ],
)  # fmt: skip
def test_a_formula_is_what_it_says(tex: str, told: str):
    assert inner(tex) == told


def test_fences_have_the_height_that_is_asked_for():
    assert 'minsize="1.8em"' in inner(r"\Bigl(h\Bigr)")
    assert inner(r"\bigl\lVert h\bigr\rVert").count("‖") == 2


def test_fences_grow_where_that_is_asked_for():
    told = inner(r"\displaystyle \left(h\right)^{2}")
    assert told == f"<msup><mrow><mo>(</mo>{H}<mo>)</mo></mrow>{TWO}</msup>"


def test_rows_are_aligned():
    rows = ElementTree.fromstring(mathml(r"\begin{aligned}a&=b\\&=c\end{aligned}", MACROS))
    assert [["".join(cell.itertext()) for cell in row] for row in rows.iter("mtr")] == [
        ["a", "=b"],
        ["", "=c"],
    ]


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\bogus", "bogus is not known"),
        (r"\begin{cases}a\end{cases}", "begin is not known"),
        (r"\frac{1}", "argument is missing"),
        (r"\sqrt{a", "not closed"),
        ("a}", "comes before"),
        ("a_b_c", "two _ follow"),
        (r"\begin{aligned}a", "comes before"),
        ("a^", "argument is missing"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_formula(tex: str, said: str):
    with pytest.raises(ValueError, match=re.escape(said)) as told:
        mathml(f"x {tex}", MACROS)
    assert f"x {tex}" in str(told.value)


def test_the_font_has_every_sign():
    font = TTFont(ROOT / "book" / "_static" / "formulas.woff")
    assert {sign for sign in characters() if ord(sign) not in font.getBestCmap()} == set()
    assert "SIL Open Font License" in font["name"].getDebugName(13)


def test_a_formula_has_no_sign_that_the_font_lacks():
    every = r"\opnorm{W} \E \R \Normal \loss h^\T \underbrace{a}_{b} \overline p \lfloor x' \rfloor"
    assert set(unescape(re.sub("<[^>]+>", "", inner(every)))) <= characters()
