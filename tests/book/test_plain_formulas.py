"""Formulas where nothing can typeset them."""

import pytest
from plain_formulas import plain


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        (r"n = 64", "n = 64"),
        (r"\sqrt{n}\,\eta", "√n η"),
        (r"1/\sqrt L", "1/√L"),
        (r"\opnorm{W_l} = \Theta(\tfrac1L)", "‖W_l‖ = Θ(1/L)"),
        (r"\frac{1}{n} \ge 2^{-3}", "1/n ≥ 2^−3"),
        (r"\mathbb{E}[x]", "E[x]"),
        (r"\alpha_l\lVert x\rVert", "α_l‖ x‖"),
    ],
)
def test_a_formula_in_plain_letters(tex: str, words: str):
    assert plain(tex) == words
    assert "\\" not in plain(tex)
