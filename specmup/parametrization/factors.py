"""The factors on base values of one parameter: the solver at two shapes, divided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from specmup.inspection.model_pair import ModelPair, ScaledDim, ScaledParam
from specmup.theory.order import Number, Order
from specmup.theory.rules import SolvedLayer, solved_layers
from specmup.theory.tables import Rule

DIGITS = 12
PARAMETRIZATIONS = ("spectral", "sp")
# Takes one of the two: at the target, or at the base.
Side = Callable[[ScaledDim], float]


@dataclass(frozen=True)
class Factors:
    """What base values are multiplied by.

    Args:
        multiplier: Of the term in which the parameter stands, as the forward pass computes it.
        init_std: Of the standard deviation at the start (not of the variance).
        learning_rate: Of η.
        weight_decay: Of the decoupled decay λ.
        epsilon: Of ε; None where the optimizer has none.
        folded: The multiplier, or the part of it, that these numbers hold in place of the forward
            pass; 1 where there is none.
    """

    multiplier: float = 1.0
    init_std: float = 1.0
    learning_rate: float = 1.0
    weight_decay: float = 1.0
    epsilon: float | None = None
    folded: float = 1.0

    @classmethod
    def of(cls, rule: Rule[Order], width: float, depth: float) -> Factors:
        """What a rule says where every width grows by one factor, and the depth by another.

        Args:
            rule: Of orders.
            width: r_n, of any size but the number of inputs and outputs.
            depth: r_L.
        """
        return cls(
            multiplier=rule.multiplier.evaluate(width, depth),
            init_std=rule.init_variance.evaluate(width, depth) ** 0.5,
            learning_rate=rule.learning_rate.evaluate(width, depth),
            weight_decay=rule.weight_decay.evaluate(width, depth),
            epsilon=None if rule.epsilon is None else rule.epsilon.evaluate(width, depth),
        )


def factors_of(param: ScaledParam, pair: ModelPair, *, parametrization: str, gauge: str) -> Factors:
    """The factors of one parameter.

    Args:
        param: Of the pair.
        pair: The model beside its base.
        parametrization: ``spectral`` or ``sp``.
        gauge: ``forward`` or ``folded``.
    """
    if parametrization == "sp":
        return standard_factors(param)
    return spectral_factors(param, pair, gauge)


def standard_factors(param: ScaledParam) -> Factors:
    """Standard parametrization: variance 1/fan-in where the fan-in grows, and nothing else."""
    epsilon = None if param.law.epsilon is None else 1.0
    return Factors(init_std=param.fan_in.ratio**-0.5, epsilon=epsilon)


def spectral_factors(param: ScaledParam, pair: ModelPair, gauge: str) -> Factors:
    """The factors that the spectral condition gives (zheng2026, Tables 3–13), for real shapes.

    The fans of hidden maps count as they are. Of the maps at the ends, a fan that stays is a
    constant, small beside the width, as the number of inputs and outputs is in the theory.
    """
    (target, c), (base, c_base) = (_rule(param, pair, gauge, side) for side in (_target, _base))
    found = Factors(
        multiplier=_ratio(target.multiplier, base.multiplier) if gauge == "forward" else 1.0,
        init_std=_ratio(target.init_variance, base.init_variance, 0.5),
        learning_rate=_ratio(target.learning_rate, base.learning_rate),
        weight_decay=_ratio(target.weight_decay, base.weight_decay),
        epsilon=(
            None
            if target.epsilon is None or base.epsilon is None
            else _ratio(target.epsilon, base.epsilon)
        ),
    )
    # A head of one size, whose share stands in the map before it, has no number that holds any.
    unchanged = found == Factors(epsilon=None if found.epsilon is None else 1.0)
    if gauge == "forward" or param.place == "stream_norm" or unchanged:
        return found
    return replace(found, folded=_ratio(c_base, c))


def multiplier_factors(parametrization: str, pair: ModelPair, gauge: str) -> dict[str, float]:
    """Factors on the multipliers of the forward pass, by the roles that have one."""
    layers = solved_layers(pair.block_depth)
    ratios = pair.width.ratio, pair.depth.ratio
    if parametrization == "sp" or gauge == "folded":
        ratios = 1.0, 1.0
    roles = ("input", "hidden", "output")
    return {role: layers[role].multiplier.evaluate(*ratios) for role in roles}


def _target(size: ScaledDim) -> float:
    return size.target


def _base(size: ScaledDim) -> float:
    return size.base


def _rule(
    param: ScaledParam, pair: ModelPair, gauge: str, side: Side
) -> tuple[Rule[Number], Number]:
    """The rule at the target's or the base's sizes, and the constant of its gauge."""
    c = _gauge_constant(param, pair, gauge, side) * _own_constant(param, pair, side)
    solved = _solved(param, param.role, pair, side).regauged(c * _of_a_row(param, pair, side))
    if param.place == "stream_norm":
        # It moves as little as a gain that holds the multiplier, but is as large as any.
        solved = replace(solved, layer=replace(solved.layer, weight_norm=Number(1.0)))
    rule = solved.rule(param.law)
    if (groups := side(param.groups)) > 1:  # each starts as a map of its own
        own = replace(solved.layer, fan_out=solved.layer.fan_out / Number(groups))
        rule = replace(rule, init_variance=own.init_std**2)
    return rule, c


def _own_constant(param: ScaledParam, pair: ModelPair, side: Side) -> Number:
    """The constant by which the model's own forward pass multiplies W' already: W = c·W'.

    A tied matrix takes that of the embedding; what this changes for the head, and the head's own,
    stands with the readout's multiplier in the final normalisation.
    """
    own = side(param.own)
    if param.place == "final_norm" and (tied := next((p for p in pair.params if p.tied), None)):
        own *= side(tied.own_as_head) / side(tied.own)
    return Number(own)


def _of_a_row(param: ScaledParam, pair: ModelPair, side: Side) -> Number:
    """What makes the length of any part of a weight that of a row; 1 for what is no length.

    A row's length is a gain on what the row gives. That of a larger part grows beyond it as the
    root of the number of entries.
    """
    if not param.spec.length_of:
        return Number(1.0)
    whole = next(p for p in pair.params if p.spec.pattern == param.spec.length_of)
    entries, lengths = (
        ScaledDim(prod(one.spec.shape), prod(one.before.shape)) for one in (whole, param)
    )
    return Number((side(whole.fan_in) * side(lengths) / side(entries)) ** 0.5)


def _gauge_constant(param: ScaledParam, pair: ModelPair, gauge: str, side: Side) -> Number:
    """The constant c by which a parameter is regauged, W = c·W'."""
    if gauge == "forward" and param.place != "stream_norm":
        if param.place == "head" and param.is_vector:
            # α stands in front of the bracket that holds the bias, which must not shrink with it.
            return _solved(param, "output", pair, side).multiplier
    elif param.place in ("branch_end", "stream_norm"):
        # Maps stacked in one tensor share their branch's multiplier evenly.
        share = pair.block_depth if param.spec.stacked else 1
        return _solved(param, "hidden", pair, side).multiplier ** Fraction(-1, share)
    elif (param.place == "head" and not param.is_vector) or (
        param.place == "final_norm" and pair.tied
    ):
        return _solved(param, "output", pair, side).multiplier ** -1
    return Number(1.0)


def _solved(param: ScaledParam, role: str, pair: ModelPair, side: Side) -> SolvedLayer:
    """A role's sizes, as numbers, where this parameter stands."""

    def fan(size: ScaledDim) -> float:
        at_an_end = param.role not in ("hidden", "hidden_bias", "norm_gain")
        return 1.0 if at_an_end and size.target == size.base else side(size)

    solved = solved_layers(pair.block_depth)[role].at(
        fan_out=1.0 if param.place == "head" else fan(param.fan_out),
        fan_in=fan(param.fan_in),
        width=side(pair.width),
        depth=side(param.depth),
    )
    # What acts in several branches moves the loss by the sum of what it does in each.
    sensitivity = solved.layer.sensitivity * Number(side(param.uses))
    return replace(solved, layer=replace(solved.layer, sensitivity=sensitivity))


def _ratio(one: Number, other: Number, power: float = 1.0) -> float:
    # Roots leave an error in the last digits, by which equal numbers would differ.
    return float(f"{(one / other).value ** power:.{DIGITS}g}")
