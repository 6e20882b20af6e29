"""Sphinx extension: ``{calculator}`` turns base values into numbers for a larger model.

The page gets the exponents of every rule from the solver when it is built, as JSON, and
``_static/calculator.js`` multiplies. There is no second copy of a rule, and nothing asks a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from specmup import theory
from specmup.theory.order import IncomparableOrders, Order
from specmup.theory.rules import COMPANION, SolvedLayer, laws_of, solved_layers
from specmup.theory.update import LAWS, UpdateLaw

COLUMNS = ("multiplier", "init_variance", "learning_rate", "weight_decay", "epsilon")
# What a reader calls a role; where multipliers are folded, what stands next to one is named apart.
ROLES = {
    "input": "input, embeddings",
    "hidden": "hidden matrices",
    "output": "output, head",
    "input_bias": "input bias, last gain",
    "hidden_bias": "hidden biases",
    "norm_gain": "gains in branches",
}
FOLDED = {"hidden": "last maps of branches", "hidden_bias": "last biases of branches"}
# Names of sizes in configurations that `specmup plan` builds models from.
MODELS = {
    "other": {
        "title": "a network of mine",
        "model": "my_module:build",
        "sizes": ["width", "depth"],
    },
    "gpt2": {"title": "GPT-2", "model": "hf:gpt2", "sizes": ["n_embd", "n_layer"]},
    "llama": {
        "title": "Llama, Mistral",
        "model": "hf:llama",
        "sizes": ["hidden_size", "num_hidden_layers"],
    },
}


def solved_rules() -> dict[str, Any]:
    """Every rule as exponents: optimizer, k, gauge, and one row a role."""
    return {
        "models": MODELS,
        "optimizers": {law.name: told(law) for law in LAWS.values()},
    }


def told(law: UpdateLaw) -> dict[str, Any]:
    """An optimizer's title, what trains the rest beside it, and its rules by k and gauge."""
    return {
        "title": law.title,
        "companion": COMPANION.title if law.matrices_only else None,
        "rules": {
            f"{k}": {
                "forward": list(rows(law, k, folded=False)),
                "folded": list(rows(law, k, folded=True)),
            }
            for k in (1, 2)
        },
    }


def rows(law: UpdateLaw, block_depth: int, *, folded: bool) -> Iterator[dict[str, Any]]:
    """One row a role; hidden matrices by the optimizer, and the rest by its companion if any."""
    for role, layer in solved_layers(block_depth).items():
        own = laws_of(law)[role]
        if not folded:
            yield entry(role, ROLES[role], layer, own)
        elif role in FOLDED:
            inner = entry(role, ROLES[role], layer, own)
            # The branch's multiplier stands in its last map; the others keep their numbers.
            yield {**inner, "multiplier": [0, 0]}
            yield entry(role, FOLDED[role], layer.folded(), own)
        elif role == "output":
            yield entry(role, ROLES[role], layer.folded(), own)
        else:
            yield {**entry(role, ROLES[role], layer, own), "multiplier": [0, 0]}


def entry(role: str, label: str, layer: SolvedLayer[Order], law: UpdateLaw) -> dict[str, Any]:
    """A row: exponents of r_n and r_L by column, null where there is no number."""
    found: dict[str, Any] = {"role": role, "label": label, "optimizer": law.title}
    try:
        rule = layer.rule(law)
    except IncomparableOrders:  # a clamp binds or not, as n and L happen to grow
        return {**found, **dict.fromkeys(COLUMNS), "none": True}
    for column in COLUMNS:
        order = getattr(rule, column)
        found[column] = None if order is None else [float(order.width), float(order.depth)]
    return found


class Calculator(SphinxDirective):
    """Hold the place of the calculator, with all that it needs to know."""

    def run(self) -> list[nodes.Node]:
        """An element that the script fills, and a word for whoever has no script."""
        for module in sorted(Path(theory.__file__).parent.glob("*.py")):
            self.env.note_dependency(str(module))  # a changed rule makes the page anew
        data = json.dumps(solved_rules(), separators=(",", ":"), ensure_ascii=False)
        html = (
            f'<script type="application/json" id="calculator-rules">{data}</script>'
            '<div id="calculator" class="calculator">'
            "<noscript>The calculator needs JavaScript. The tables below hold the same rules."
            "</noscript></div>"
        )
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive; :mod:`page_scripts` adds its script."""
    app.add_directive("calculator", Calculator)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
