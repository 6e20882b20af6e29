"""Pages of the EPUB are XML without scripts."""

from xml.etree import ElementTree

from epub_pages import NAMESPACE, as_xml


def test_a_page_is_xml_its_formulas_are_formulas_and_no_script_is_left():
    page = """<p>At <math display="block"><mi>n</mi></math> <math><mi>L</mi></math></p>
    <script type="application/json">{"p": "<0.01"}</script>
    <details><summary><p class="collapsed admonition-title">Show it</p>
    <p class="expanded admonition-title">Hide it</p></summary>
    <noscript><table><tr><td>1</td></tr></table></noscript></details>"""
    tree = ElementTree.fromstring(f"<div>{as_xml(page)}</div>")
    assert len(tree.findall(f".//{{{NAMESPACE}}}mi")) == 2
    assert tree.find("script") is None
    assert tree.find("details/summary").text == "Show it"
    assert tree.find("details/table/tr/td").text == "1"
