"""Spectral conditions for feature learning as width and depth grow: rules, plans, optimizers.

What most users need can be taken from here. Importing the package loads nothing: torch and the rest
come with the first name that needs them.

>>> import specmup
>>> print(specmup.rules("adamw", block_depth=2)["hidden"].learning_rate)
n^-1
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers
    from specmup.auditing.audit import audit as audit
    from specmup.auditing.report import Audit as Audit
    from specmup.norms import rms_operator_norm as rms_operator_norm
    from specmup.norms import spectral_norm as spectral_norm
    from specmup.optimizers.enforced import Enforced as Enforced
    from specmup.optimizers.registry import make_optimizer as make_optimizer
    from specmup.parametrization.plan import make_plan as make_plan
    from specmup.parametrization.planned import Plan as Plan
    from specmup.probes.coordinate_check import coordinate_check as coordinate_check
    from specmup.theory.rules import rules as rules
    from specmup.theory.tables import Rules as Rules

__version__ = "0.2.0.dev0"

_HOMES = {
    "Audit": "auditing.report",
    "Enforced": "optimizers.enforced",
    "Plan": "parametrization.planned",
    "Rules": "theory.tables",
    "audit": "auditing.audit",
    "coordinate_check": "probes.coordinate_check",
    "make_optimizer": "optimizers.registry",
    "make_plan": "parametrization.plan",
    "rms_operator_norm": "norms",
    "rules": "theory.rules",
    "spectral_norm": "norms",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    """Load a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'specmup' has no attribute {name!r}: see dir(specmup)")
    return getattr(import_module(f"specmup.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
