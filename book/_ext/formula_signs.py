"""What commands of TeX stand for in the book's formulas: letters, operators, fences, spaces."""

GREEK = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε"},
    **{"zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ"},
    **{"nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "ϕ"},
    **{"varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "ell": "ℓ", "partial": "∂"},
}
UPRIGHT = {  # letters that are not slanted
    **{"Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π"},
    **{"Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω"},
    **{"nabla": "∇", "emptyset": "∅", "infty": "∞", "dots": "…", "ldots": "…", "cdots": "⋯"},
}
RELATIONS = {
    **{"le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈"},
    **{"propto": "∝", "sim": "∼", "equiv": "≡", "in": "∈", "notin": "∉", "ll": "≪", "gg": "≫"},
    **{"to": "→", "leftarrow": "←", "mapsto": "↦", "succeq": "⪰", "preceq": "⪯", "subset": "⊂"},
}
BINARY = {"cdot": "⋅", "times": "×", "pm": "±", "odot": "⊙", "otimes": "⊗", "circ": "∘"}
LARGE = {"sum": "∑", "prod": "∏"}  # with limits above and below where there is room
LIMITS = ("max", "min", "sup", "inf", "lim")  # words with the same
FUNCTIONS = (
    "log",
    "ln",
    "exp",
    "tanh",
    "cosh",
    "sinh",
    "sin",
    "cos",
    "arcsin",
    "arccos",
    "arctan",
    "dim",
)
OPENING = {
    **{"(": "(", "[": "[", "{": "{", "lVert": "‖", "lvert": "|", "langle": "⟨", "lfloor": "⌊"},
    **{"lceil": "⌈"},
}
CLOSING = {
    **{")": ")", "]": "]", "}": "}", "rVert": "‖", "rvert": "|", "rangle": "⟩", "rfloor": "⌋"},
    **{"rceil": "⌉"},
}
HEIGHTS = {"big": 1.2, "Big": 1.8, "bigg": 2.4}  # of the fences after \bigl and its kin, in em
SPACES = {",": 0.167, ":": 0.222, ";": 0.278, "!": -0.167, " ": 0.25, "quad": 1, "qquad": 2}
ACCENTS = {  # where it stands, its sign, whether it is as wide as what it stands on
    "hat": ("mover", "ˆ", False),
    "bar": ("mover", "¯", False),
    "tilde": ("mover", "˜", False),
    "overline": ("mover", "‾", True),
    "underline": ("munder", "_", True),
}
SIGNS = {"-": "−", "*": "∗"}  # characters of which another is set
ALPHABETS = {  # the first capital of each, and letters that stand elsewhere
    "mathcal": (
        "𝒜",
        {"B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "L": "ℒ", "M": "ℳ", "R": "ℛ"},
    ),
    "mathbb": ("𝔸", dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))),
    "mathsf": ("𝖠", {}),
}


def characters() -> set[str]:
    """Every character that a formula may be set in: the signs, and letters as they are slanted."""
    tables = (GREEK, UPRIGHT, RELATIONS, BINARY, LARGE, OPENING, CLOSING, SIGNS)
    signs = {sign for table in tables for sign in table.values()}
    signs |= {mark for _, mark, _ in ACCENTS.values()} | set("√′ℎ\N{NO-BREAK SPACE}")
    signs |= {chr(code) for code in range(0x20, 0x7F)}
    signs |= {chr(code) for code in range(0x1D434, 0x1D468) if code != 0x1D455}  # slanted, but h
    signs |= {chr(code) for code in range(0x1D6FC, 0x1D71C)}  # slanted Greek
    for first, elsewhere in ALPHABETS.values():
        signs |= {elsewhere.get(chr(65 + i), chr(ord(first) + i)) for i in range(26)}
    return signs
