"""Formulas as plain letters, for where nothing can typeset them: descriptions of pages."""

from __future__ import annotations

import re

from formula_signs import BINARY, GREEK, LARGE, RELATIONS, UPRIGHT

# What stands for a command; one that is not here is left out.
SIGNS = {
    **{**GREEK, **UPRIGHT, **RELATIONS, **BINARY, **LARGE},
    **{"sqrt": "√", "sum": "Σ", "cdot": "·", "top": "T", "lVert": "‖", "rVert": "‖"},
    **{"quad": " ", "qquad": " ", "loss": "L", "R": "ℝ", "E": "E", "T": "T", "order": "Θ"},
}
SIZES = re.compile(r"\\(?:rms|opnorm|specnorm|frobnorm)\{([^{}]*)\}")
FRACTION = re.compile(r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}|\\[td]?frac(\w)(\w)")
COMMAND = re.compile(r"\\([A-Za-z]+|.)")


def plain(formula: str) -> str:
    r"""A formula in plain letters: ``\sqrt{n}\,\eta`` is √n η.

    Args:
        formula: TeX, without the marks around it.
    """
    formula = SIZES.sub(r"‖\1‖", formula)
    formula = FRACTION.sub(lambda m: f"{m[1] or m[3]}/{m[2] or m[4]}", formula)
    formula = COMMAND.sub(lambda m: SIGNS.get(m[1], "" if m[1].isalpha() else " "), formula)
    return " ".join(re.sub(r"[{}$&]", "", formula).replace("-", "−").replace("√ ", "√").split())
