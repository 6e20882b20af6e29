"""Residual networks, bases and rules that several experiments take."""

from __future__ import annotations

from fractions import Fraction
from math import pi

from specmup.models.resnet import ResNetShape
from specmup.theory import order
from specmup.theory.rules import parametrization
from specmup.theory.tables import Rules
from specmup.training.scaling import Base, Settings

INPUTS, CLASSES = 64, 10  # of digits; their sums have twice the inputs
WIDTH = BASE_WIDTH = 64  # where it is not swept, and of the base where it is
BASE_DEPTH = 4

# Mean square of φ(z), its mean subtracted, for a standard Gaussian z: what a branch loses.
KEPT = {"linear": 1.0, "relu": 1 / 2 - 1 / (2 * pi), "abs": 1 - 2 / pi}


def shape(width: int, depth: int) -> ResNetShape:
    """A ReLU network for digits with two maps a branch."""
    return ResNetShape(INPUTS, width, depth, CLASSES, block_depth=2, activation="relu")


def centred(
    width: int,
    depth: int,
    activation: str,
    block_depth: int = 1,
    *,
    inputs: int = INPUTS,
    placement: str = "post",
) -> ResNetShape:
    """A network whose activations have their mean subtracted, unless they are linear (yang2024)."""
    return ResNetShape(
        *(inputs, width, depth, CLASSES, block_depth, activation),
        mean_subtraction=activation != "linear",
        placement=placement,
    )


def base(learning_rate: float = 1.0) -> Base:
    """The usual base: entries of variance 1/fan-in, branches times 1/√L_base, one learning rate.

    A learning rate of 1 makes a swept rate the rate itself.
    """
    hidden = Settings(BASE_WIDTH**-0.5, learning_rate, multiplier=BASE_DEPTH**-0.5)
    return base_of(BASE_DEPTH, hidden, learning_rate)


def base_of(depth: int, hidden: Settings, learning_rate: float, inputs: int = INPUTS) -> Base:
    """A base of the usual width; its input and output maps have variance 1/fan-in and one rate.

    Args:
        depth: Its number of blocks.
        hidden: The numbers of the hidden maps.
        learning_rate: Of the other two; 0 where they stay as they were drawn.
        inputs: Dimension of a sample.
    """
    into, out = (Settings(fan_in**-0.5, learning_rate) for fan_in in (inputs, BASE_WIDTH))
    return Base(BASE_WIDTH, depth, {"input": into, "hidden": hidden, "output": out})


def depthwise(alpha: Fraction | str, gamma: Fraction | str) -> Rules:
    """AdamW's rules for one map a branch, with the multiplier L^-α and the hidden rate L^-γ."""
    multiplier = order.DEPTH ** -Fraction(alpha)
    return parametrization("k1", "adamw").changed(
        "hidden",
        multiplier=multiplier,
        learning_rate=order.WIDTH**-1 * order.DEPTH ** -Fraction(gamma),
        epsilon=order.WIDTH**-1 * multiplier,  # of the size of the gradient
    )


def started_at(power: Fraction | str, optimizer: str) -> Rules:
    """Rules for two maps a branch whose branches start at L^-power.

    Each map still contributes its 1/L: the maps have norm 1, so a step of either is L^(power-1).
    With the power 1 these are the rules for two maps, with 1/2 those for one (for optimizers whose
    steps do not grow with the gradient).
    """
    power = Fraction(power)
    rules = parametrization("k2", optimizer)
    hidden, change = rules["hidden"], order.DEPTH ** (1 - power)  # of the multiplier
    return rules.changed(
        "hidden",
        multiplier=hidden.multiplier * change,
        learning_rate=hidden.learning_rate / change,
        epsilon=hidden.epsilon and hidden.epsilon * change,
    )
