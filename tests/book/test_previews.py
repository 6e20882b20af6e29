"""What is kept of a page to be shown at links."""

import pytest
from previews import element, worth_showing


def test_each_kind_is_kept_whole_and_a_proof_is_not():
    theorem = '<div class="proof theorem admonition" id="thm-a"><div>Then</div> b</div>'
    equation = '<div class="math notranslate nohighlight" id="equation-eq-c">c</div>'
    reference = '<div class="citation" id="id5"><p>Zheng</p></div>'
    proof = '<div class="proof admonition" id="proof"><p>Because.</p></div>'
    term = '<dl><dt id="term-gauge">gauge</dt><dd><p>A factor.</p></dd></dl>'
    assert worth_showing(theorem + proof + equation + term + reference) == {
        "thm-a": theorem,
        "equation-eq-c": equation,
        "term-gauge": "<dd><p>A factor.</p></dd>",
        "id5": reference,
    }


@pytest.mark.parametrize(("html", "wrong"), [("<p>a", "does not end"), ("words", "no element")])
def test_what_is_no_whole_element_is_told(html: str, wrong: str):
    with pytest.raises(ValueError, match=wrong):
        element(html, 0)
