"""Tables get heads of rows, heads that columns share, and a number."""

import re
from pathlib import Path

import pandas as pd
import pytest
from made_tables import scoped, stacked
from one_page import built

from experiments.reading.tables import table

INDEX = pd.MultiIndex.from_product([["sgd", "adamw"], ["k1", "k2"]], names=["optimizer", "rule"])
FRAME = pd.DataFrame(
    {("size", "a"): [1, 2, 3, 4], ("size", "$x$"): "s", ("drift", ""): "d"}, index=INDEX
)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    plain = "| a |\n| --- |\n| b |\n"
    shown = table(FRAME, "See $x$.", name="tab-x").data
    text = f"# A\n\nLook at {{numref}}`tab-x`.\n\n{shown}\n\n{plain}"
    settings = {"numfig": True, "myst_enable_extensions": ["colon_fence", "dollarmath"]}
    folder: Path = tmp_path_factory.mktemp("book")
    html, complaints = built(folder, "made_tables", text, **settings)
    assert complaints == ""
    return html


def heads(html: str) -> list[tuple[str, str]]:
    """What each head says of itself, and its words."""
    found = re.findall(r"<th ([^>]*)>(.*?)</th>", html, re.DOTALL)
    return [
        (re.sub(r' ?class="[^"]*"', "", said), re.sub(r"<[^>]+>", "", words).strip())
        for said, words in found
    ]


def test_a_table_is_numbered_and_found(page: str):
    assert re.search(r'href="#tab-x"><span[^>]*>Table 1</span>', page)
    assert '<span class="caption-number">Table 1 </span>' in page


def test_heads_say_what_they_are_heads_of(page: str):
    own, row = 'scope="col"', 'scope="row"'
    assert heads(page) == [
        (f'{own} rowspan="2"', "optimizer"),
        (f'{own} rowspan="2"', "rule"),
        ('scope="colgroup" colspan="2"', "size"),
        (f'{own} rowspan="2"', "drift"),
        (own, "a"),
        (own, "\\(x\\)"),
        ('scope="rowgroup" rowspan="2"', "SGD"),
        (row, "\\(k = 1\\)"),
        (row, "\\(k \\ge 2\\)"),
        ('scope="rowgroup" rowspan="2"', "AdamW"),
        (row, "\\(k = 1\\)"),
        (row, "\\(k \\ge 2\\)"),
        (own, "a"),
    ]


def test_a_table_without_caption_keeps_its_cells(page: str):
    assert "<td><p>b</p></td>" in page


@pytest.mark.parametrize(
    "cell", ["<td>1</td>", '<td class="rowhead"></td>', '<th scope="row">a</th>', "<tr></tr>"]
)
def test_what_needs_no_scope_has_none_added(cell: str):
    assert scoped(cell) == cell


def row_of(*cells: str) -> str:
    return (
        '<table class="numbers table"><tr>'
        + "".join(f"<td>{c}</td>" for c in cells)
        + "</tr></table>"
    )


def test_a_wide_table_has_each_half_width_below_its_number():
    narrow = row_of(*["−0.51\xa0±\xa00.12"] * 4)
    assert stacked(narrow) == narrow
    wide = stacked(row_of(*["−0.51\xa0±\xa00.12"] * 4, "−0.51\xa0\u2007\xa0\u2007", "over 10"))
    assert wide.startswith('<table class="numbers table wide"><tr>')
    assert stacked(wide.replace("numbers table wide", "table")).startswith(
        '<table class="table wide">'
    )
    assert wide.count("<td>−0.51<br/>±\xa00.12</td>") == 4
    assert "<td>−0.51</td><td>over 10</td>" in wide


def test_words_that_may_break_make_no_table_wide():
    words = row_of("nothing that is longer than a page is wide", *["−0.51\xa0±\xa00.12"] * 3)
    assert stacked(words) == words


def test_a_long_name_in_a_wide_table_breaks_after_its_points_and_its_address_does_not():
    name = "model.layers.self_attn.indexer.weight"
    wide = stacked(row_of(f'<a href="{name}">{name}</a>', name, "1"))
    broken = name.replace(".", ".<wbr/>")
    assert f'<a href="{name}">{broken}</a></td><td>{broken}</td>' in wide
