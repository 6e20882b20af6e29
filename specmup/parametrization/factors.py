"""The factors on base values of one parameter: the solver at two shapes, divided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specmup.parametrization.comparison import Comparison, Growth, Member
from specmup.parametrization.gauges import folded_by, law_as_run
from specmup.theory.order import Number
from specmup.theory.rules import COMPANION, SolvedLayer, solved_layers
from specmup.theory.tables import Rule

DIGITS = 12
PARAMETRIZATIONS = ("spectral", "sp")


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


def optimizer_of(member: Member, optimizer: str) -> str:
    """The optimizer that trains a parameter: the one asked for, or AdamW beside one of matrices."""
    matrices_only = law_as_run(optimizer).matrices_only
    return COMPANION if matrices_only and member.role != "hidden" else optimizer


def spectral_factors(member: Member, comparison: Comparison, optimizer: str, gauge: str) -> Factors:
    """The factors that the spectral condition gives (zheng2026, Tables 3–13), for real shapes.

    The fans of hidden maps count as they are. Of the maps at the ends, a fan that stays is a
    constant, small beside the width, as the number of inputs and outputs is in the theory.

    Args:
        member: The parameter.
        comparison: The model beside its base.
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        gauge: ``forward`` or ``folded``.
    """
    law = law_as_run(optimizer_of(member, optimizer), transposed=member.transposed)
    folding = _folding(member, comparison, gauge)

    def solved(pick: Callable[[Growth], float]) -> tuple[Rule, Number]:
        numbers = _solved(member, member.role, comparison, pick)
        c = folding(lambda role: _solved(member, role, comparison, pick))
        return numbers.regauged(c).rule(law), c

    (target, c), (base, c_base) = solved(lambda s: s.target), solved(lambda s: s.base)

    def ratio(one: Number, other: Number, power: float = 1.0) -> float:
        # Roots leave an error in the last digits, by which equal numbers would differ.
        return float(f"{(one / other).value ** power:.{DIGITS}g}")

    return Factors(
        multiplier=ratio(target.multiplier, base.multiplier) if gauge == "forward" else 1.0,
        init_std=ratio(target.init_variance, base.init_variance, 0.5),
        learning_rate=ratio(target.learning_rate, base.learning_rate),
        weight_decay=ratio(target.weight_decay, base.weight_decay),
        epsilon=None if target.epsilon is None else ratio(target.epsilon, base.epsilon),
        folded=ratio(c_base, c) if gauge == "folded" else 1.0,
    )


def standard_factors(member: Member, optimizer: str) -> Factors:
    """Standard parametrization: variance 1/fan-in where the fan-in grows, and nothing else."""
    law = law_as_run(optimizer_of(member, optimizer))
    epsilon = None if law.epsilon is None else 1.0
    return Factors(init_std=member.fan_in.ratio**-0.5, epsilon=epsilon)


def parametrized(
    name: str, comparison: Comparison, optimizer: str, gauge: str
) -> Callable[[Member], Factors]:
    """The factors of a member under a parametrization, ``spectral`` or ``sp``.

    Raises:
        ValueError: If there is no such parametrization.
    """
    if name not in PARAMETRIZATIONS:
        raise ValueError(
            f"unknown parametrization {name!r}: choose one of {', '.join(PARAMETRIZATIONS)}"
        )
    if name == "sp":
        return lambda member: standard_factors(member, optimizer)
    return lambda member: spectral_factors(member, comparison, optimizer, gauge)


def multiplier_factors(
    parametrization: str, comparison: Comparison, gauge: str
) -> dict[str, float]:
    """Factors on the multipliers of the forward pass, by the roles that have one."""
    layers = solved_layers(comparison.block_depth)
    ratios = comparison.width.ratio, comparison.depth.ratio
    if parametrization == "sp" or gauge == "folded":
        ratios = 1.0, 1.0
    roles = ("input", "hidden", "output")
    return {role: layers[role].multiplier.evaluate(*ratios) for role in roles}


def _solved(
    member: Member, role: str, comparison: Comparison, pick: Callable[[Growth], float]
) -> SolvedLayer:
    def fan(size: Growth) -> float:
        at_an_end = member.role not in ("hidden", "hidden_bias", "norm_gain")
        return 1.0 if at_an_end and size.target == size.base else pick(size)

    return solved_layers(comparison.block_depth)[role].at(
        fan_out=1.0 if member.place == "head" else fan(member.fan_out),
        fan_in=fan(member.fan_in),
        width=pick(comparison.width),
        depth=pick(member.depth),
    )


def _folding(
    member: Member, comparison: Comparison, gauge: str
) -> Callable[[Callable[[str], SolvedLayer]], Number]:
    """The constant c by which a parameter is regauged, W = c·W', from the sizes of a role."""
    one = Number(1.0)
    if gauge == "forward":
        if member.place == "head" and member.is_vector:
            # α stands in front of the bracket that holds the bias, which must not shrink with it.
            return lambda sizes: sizes("output").multiplier
        return lambda sizes: one
    if member.place == "branch_end":
        # Maps stacked in one tensor share their branch's multiplier evenly.
        share = comparison.block_depth if member.part.stacked else 1
        return lambda sizes: folded_by(sizes("hidden"), share)
    if member.place == "head" and not member.is_vector:
        return lambda sizes: folded_by(sizes("output"))
    if member.place == "final_norm" and comparison.tied:
        return lambda sizes: folded_by(sizes("output"))
    return lambda sizes: one
