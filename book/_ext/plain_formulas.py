"""Formulas as plain letters, for where nothing can typeset them: descriptions, search results."""

from __future__ import annotations

import re

# What stands for a command; one that is not here is left out.
SIGNS = {
    **{name: chr(code) for name, code in {
        "alpha": 0x3B1, "beta": 0x3B2, "gamma": 0x3B3, "delta": 0x3B4, "Delta": 0x394,
        "varepsilon": 0x3B5, "epsilon": 0x3B5, "eta": 0x3B7, "theta": 0x3B8, "Theta": 0x398,
        "kappa": 0x3BA, "lambda": 0x3BB, "mu": 0x3BC, "pi": 0x3C0, "rho": 0x3C1, "sigma": 0x3C3,
        "tau": 0x3C4, "phi": 0x3C6, "omega": 0x3C9, "Omega": 0x3A9, "Sigma": 0x3A3,
    }.items()},
    **{"ge": "≥", "geq": "≥", "le": "≤", "leq": "≤", "times": "×", "cdot": "·", "to": "→"},
    **{"approx": "≈", "propto": "∝", "infty": "∞", "sqrt": "√", "sum": "Σ", "prod": "∏"},
    **{"ell": "ℓ", "dots": "…", "ldots": "…", "cdots": "…", "pm": "±", "in": "∈", "sim": "∼"},
    **{"neq": "≠", "ne": "≠", "partial": "∂", "nabla": "∇", "top": "T", "lVert": "‖", "rVert": "‖"},
    **{"quad": " ", "qquad": " ", "loss": "L", "R": "ℝ", "E": "E", "T": "T", "order": "Θ"},
}  # fmt: skip
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
