"""What is mended in the builder's HTML, and what is left."""

import pytest
from accessible_html import mended


@pytest.mark.parametrize(
    "head", ["<th></th>", '<th class="head"><p></p></th>', '<th class="blank">&nbsp;</th>']
)
def test_a_head_without_words_is_a_cell(head: str):
    assert mended(f"<tr>{head}<th>width</th></tr>") == "<tr><td></td><th>width</th></tr>"


def test_a_head_without_words_keeps_its_place():
    head = '<th class="head" rowspan="2"><p></p></th>'
    assert mended(head) == '<td rowspan="2"></td>'


def test_a_head_with_a_formula_stays():
    head = '<th class="head"><p><span class="math">n</span></p></th>'
    assert mended(head) == head


def test_references_have_no_roles_that_lists_do_not_allow():
    entry = '<div class="citation" id="id30" role="doc-biblioentry">'
    listed = f'<div role="list" class="citation-list">{entry}'
    assert mended(listed) == '<div class="citation-list"><div class="citation" id="id30">'
    assert mended('<ul role="list" class="plain">') == '<ul role="list" class="plain">'
