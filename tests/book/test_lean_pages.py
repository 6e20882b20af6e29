"""Pages without elements that show nothing, and folds that wait."""

import pytest
from lean_pages import lean

FOLD = '<details class="a waits b" id="c">\n<summary>Title</summary>{}</details>'


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<td><p>1</p></td>", "<td>1</td>"),
        ('<th class="head"><p><b>1</b></p></th>', '<th class="head"><b>1</b></th>'),
        ("<td><p>1</p><p>2</p></td>", "<td><p>1</p><p>2</p></td>"),
        ('<a><span class="std std-ref">x <b>y</b></span></a>', "<a>x <b>y</b></a>"),
        ('<span class="o">=</span><span class="mi">1</span>', '=<span class="mi">1</span>'),
        ('<pre><span class="c1"># NBVAL_CHECK_OUTPUT</span>\nf()</pre>', "<pre>f()</pre>"),
        (
            '<table class="table"><tr class="row-odd"><th class="head">a</th>\n'
            '<td class="text-right">1</td>\n</tr>\n</table>',
            '<table class="numbers table"><tr><th>a</th><td>1</td></tr></table>',
        ),
        (
            '<table class="table"><tr><td>a\nb</td><td class="text-right">1</td></tr></table>',
            '<table class="table"><tr><td>a\nb</td><td class="text-right">1</td></tr></table>',
        ),
        ("<p> <b>1</b> <i>2</i></p>", "<p> <b>1</b> <i>2</i></p>"),
        (FOLD.format("<p>x</p>"), FOLD.format("<noscript><p>x</p></noscript>")),
        (FOLD.format("x").replace("waits", ""), FOLD.format("x").replace("waits", "")),
    ],
)
def test_what_shows_something_stays(html: str, left: str):
    assert lean(html) == left


def test_a_fold_in_one_that_waits_is_refused():
    with pytest.raises(ValueError, match="cannot hold another"):
        lean(FOLD.format("<details><summary>x</summary>y</details>"))
