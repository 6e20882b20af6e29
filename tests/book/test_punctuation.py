"""Formulas keep the punctuation that touches them."""

import pytest
from docutils import nodes
from unbroken_punctuation import join


def paragraph(before: str, after: str) -> tuple[nodes.paragraph, nodes.math]:
    formula = nodes.math("x", "x")
    texts = [nodes.Text(before)] if before else [], [nodes.Text(after)] if after else []
    return nodes.paragraph("", "", *texts[0], formula, *texts[1]), formula


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("so ", ", and", "x,"),
        ("so (", ") and", "(x)"),
        ("so ", "). And", "x)."),
        ("", ".", "x."),
        ("at ", "", None),
        ("for ", " blocks", None),
        ("", "", None),
    ],
)
def test_what_touches_stays(before: str, after: str, kept: str | None):
    text, formula = paragraph(before, after)
    whole = text.astext()
    join(formula)
    assert text.astext() == whole
    unbroken = [n.astext() for n in text.findall(nodes.inline)]
    assert unbroken == ([kept] if kept else [])


def test_two_formulas_beside_one_comma():
    first, second = nodes.math("x", "x"), nodes.math("y", "y")
    pieces = nodes.Text("("), first, nodes.Text(", "), second, nodes.Text(")")
    text = nodes.paragraph("", "", *pieces)
    join(first)
    join(second)
    assert text.astext() == "(x, y)"
    assert [n.astext() for n in text.findall(nodes.inline)] == ["(x,", "y)"]
