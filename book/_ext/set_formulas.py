"""Sphinx extension: formulas stand in the pages as MathML, set when the book is built.

No page loads a script for them. What cannot be read is a warning, so it stops the strict build.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from mathml import Macros, mathml
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.logging import getLogger
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator


def macros_of(told: dict[str, Any]) -> Macros:
    """The book's own commands: what each stands for, alone or with its number of arguments."""
    return {
        name: (value, 0) if isinstance(value, str) else (value[0], value[1])
        for name, value in told.items()
    }


def read_macros(app: Sphinx, config: Config) -> None:
    """Read the commands once, when the settings are known, for the formulas of all pages."""
    config.formula_macros = macros_of(config.formula_macros)


def markup(translator: HTML5Translator, node: nodes.math | nodes.math_block, display: bool) -> str:
    """The element of one formula; the formula itself, with a warning, where it cannot be read."""
    tex = node.astext()
    try:
        return mathml(tex, translator.config.formula_macros, display)
    except ValueError as wrong:
        getLogger(__name__).warning("%s", wrong, location=node)
        return escape(tex)


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    translator.body.append(markup(translator, node, display=False))
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own, with its number where it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(markup(translator, node, display=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_config_value("formula_macros", {}, rebuild="html", types=(dict,))
    app.connect("config-inited", read_macros)
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
