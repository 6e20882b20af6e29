"""From factors to numbers: base values times the rules' factors at a given width and depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from specmup.parametrization.factors import Factors
from specmup.theory.rules import ROLES, Rules


@dataclass(frozen=True)
class Settings:
    """The numbers of one role.

    Args:
        multiplier: What stands in front of the term that holds the parameter.
        std: Standard deviation at initialisation.
        learning_rate: η.
        weight_decay: Decoupled decay λ; a step subtracts η·λ·W.
        epsilon: The optimizer's stabiliser ε; unused by optimizers that have none.
    """

    std: float
    learning_rate: float
    multiplier: float = 1.0
    weight_decay: float = 0.0
    epsilon: float = 1e-8

    def times(self, factors: Factors) -> Settings:
        """These numbers, each times its factor."""
        return Settings(
            std=self.std * factors.init_std,
            learning_rate=self.learning_rate * factors.learning_rate,
            multiplier=self.multiplier * factors.multiplier,
            weight_decay=self.weight_decay * factors.weight_decay,
            epsilon=self.epsilon * (1.0 if factors.epsilon is None else factors.epsilon),
        )


@dataclass(frozen=True)
class Base:
    """A tuned model: its sizes, and the settings of each role that it uses.

    Raises:
        ValueError: If a size is not positive or a role is unknown.
    """

    width: int
    depth: int
    settings: Mapping[str, Settings]

    def __post_init__(self) -> None:
        """Check sizes and roles."""
        _check_sizes(self.width, self.depth)
        for role in self.settings:
            if role not in ROLES:
                raise ValueError(f"unknown role {role!r}: choose among {', '.join(ROLES)}")

    def at_learning_rate(self, learning_rate: float) -> Base:
        """The same base with every role's learning rate multiplied by ``learning_rate``."""
        tuned = {
            role: replace(s, learning_rate=s.learning_rate * learning_rate)
            for role, s in self.settings.items()
        }
        return replace(self, settings=tuned)


def scale(rules: Rules, base: Base, *, width: int, depth: int) -> dict[str, Settings]:
    """The base's settings carried to another width and depth.

    At the base size the result equals ``base.settings``, whatever the rules.

    Args:
        rules: Factors by role, from :func:`specmup.theory.rules.parametrization`.
        base: The tuned model.
        width: Target width n, so that r_n = width / base.width.
        depth: Target number of blocks L, so that r_L = depth / base.depth.

    Raises:
        ValueError: If a size is not positive.
    """
    _check_sizes(width, depth)
    ratios = width / base.width, depth / base.depth
    return {
        role: settings.times(Factors.of(rules[role], *ratios))
        for role, settings in base.settings.items()
    }


def _check_sizes(width: int, depth: int) -> None:
    if width <= 0 or depth <= 0:
        raise ValueError(f"width {width} and depth {depth} must both be positive")
