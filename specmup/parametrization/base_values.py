"""Base values: what was tuned, or found, at the base."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from torch import Tensor, nn

from specmup.foreign import printable
from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.inspection.names import parameters_by_name
from specmup.inspection.places import names_match
from specmup.parametrization.initial import root_mean_square
from specmup.theory.tables import ROLES

NumberOrByName = float | Mapping[str, float]


class BaseValues:
    """One kind of base value: a number for all, or a mapping from roles and name patterns.

    Args:
        kind: Its name in ``make_plan``.
        given: A number; or a mapping whose keys are roles or patterns of names. The first key that
            fits counts, so ``"*"`` stands last.
        pair: The model; every key must fit something in it.
        for_matrices: Whether a plain number, or the key ``"*"``, is meant for matrices only; then
            biases and gains have a value under a key of their own alone.

    Raises:
        ValueError: If a value is no number, negative or not finite, or a key fits nothing.
    """

    def __init__(
        self, kind: str, given: NumberOrByName, pair: ModelPair, *, for_matrices: bool = False
    ) -> None:
        """Check numbers and keys."""
        self.kind, self.for_matrices = kind, for_matrices
        mapping = given if isinstance(given, Mapping) else {"*": given}
        self.given = {key: _number(kind, number) for key, number in mapping.items()}
        for key in self.given:
            named = isinstance(key, str) and any(_fits(key, m) for m in pair.params)
            if key not in ROLES and not named:
                raise ValueError(
                    f"{kind} has the key {key!r}, which is no role and fits no parameter: the "
                    f"roles are {', '.join(ROLES)}"
                )

    def of(self, param: ScaledParam) -> float | None:
        """The value for a parameter; None if no key fits it."""
        return None if (key := self.key(param)) is None else self.given[key]

    def key(self, param: ScaledParam) -> str | None:
        """The first key that fits a parameter; None if none does."""
        # A number for all is meant for what is drawn, and for matrices where they alone are meant.
        structure = self.kind == "std" and param.start_kind != "drawn" and not param.is_blank
        passed_over = "*" if (self.for_matrices and param.is_vector) or structure else None
        return next((k for k in self.given if k != passed_over and _fits(k, param)), None)

    def required(self, param: ScaledParam) -> float:
        """The value for a parameter.

        Raises:
            ValueError: If no key fits it.
        """
        if (value := self.of(param)) is None:
            raise ValueError(
                f"{self.kind} has no value for {param.spec.pattern}, of role {param.role}: add "
                f"the key {param.role!r}, or '*' for all others"
            )
        return value


def _number(kind: str, given: object) -> float:
    if not isinstance(given, Real) or isinstance(given, bool):
        raise ValueError(
            f"{kind} is {printable(repr(given))}: give a number, or a mapping from roles or names "
            "to numbers"
        )
    try:
        number = float(given)
    except OverflowError:  # an integer may be larger than any float
        number = math.inf
    if not 0 <= number < math.inf:
        raise ValueError(f"{kind} is {given!r}: it must be finite and not negative")
    return number


def base_values(
    given: Mapping[str, NumberOrByName | None], pair: ModelPair
) -> dict[str, BaseValues]:
    """The base values that were given, by kind.

    Args:
        given: By kind; None for what is not given.
        pair: The model beside its base.

    Raises:
        ValueError: As :class:`BaseValues` does; or if the two roles of a tied matrix have two.
    """
    values = {
        kind: BaseValues(kind, value, pair, for_matrices=kind in ("std", "weight_decay"))
        for kind, value in given.items()
        if value is not None
    }
    _check_tied(pair, values)
    return values


def _check_tied(pair: ModelPair, values: Mapping[str, BaseValues]) -> None:
    """Refuse base values that differ between the two roles of a tied matrix.

    The rules themselves ask the same of an embedding and of a head, whatever the optimizer.

    Raises:
        ValueError: If a mapping gives ``output`` another value than the embedding has.
    """
    for param in pair.params:
        if not param.tied:
            continue
        for kind, given in values.items():
            as_head, own = given.given.get("output"), given.of(param)
            if as_head is not None and as_head != own:
                raise ValueError(
                    f"{kind} is {own} for {param.spec.names[0]} and {as_head} for the role "
                    "output, but they are one tensor: give both one value, or untie them"
                )


def _fits(key: str, param: ScaledParam) -> bool:
    names = (param.spec.pattern, *param.spec.aliases)
    return key == param.role or any(names_match(name, key) for name in names)


def own_initial_sizes(
    base: nn.Module, pair: ModelPair, starts: Sequence[nn.Module] = ()
) -> dict[str, float | None]:
    """Root mean square at the base's start, by pattern of names; None where it cannot be known.

    A base with memory is measured, over all its blocks, rows that are kept at zero left out; of a
    constant it is the constant itself, with what the forward pass adds to it. For a base on the
    meta device, gains are taken to start at one and biases at zero where no start was drawn, and an
    architecture may know the rest from its configuration.

    Args:
        base: The tuned model.
        pair: Its parameters.
        starts: Models as the base starts, with memory.
    """
    found = parameters_by_name(base)
    drawn = parameters_by_name(starts[0]) if starts else {}
    sizes: dict[str, float | None] = {}
    for param in pair.params:
        spec = param.spec
        names = (*param.before.names, *param.before.aliases)
        same = [found[n] for n in names if n in found]
        own = param.own_start
        if own is not None and own.constant is not None:
            sizes[spec.pattern] = own.constant + param.offset
        elif not any(p.is_meta for p in same):
            sizes[spec.pattern] = _measured(param, same)
        elif drawn and (param.is_vector or param.start_kind == "kept"):
            sizes[spec.pattern] = _measured(param, [drawn[n] for n in names if n in drawn])
        elif param.is_vector and not spec.length_of:
            sizes[spec.pattern] = 1.0 if spec.is_gain else 0.0
        else:
            told = _family_std(getattr(base, "config", None), pair, param)
            if told is None and drawn:
                told = _measured(param, [drawn[n] for n in names if n in drawn])
            sizes[spec.pattern] = told
    return sizes


def _measured(param: ScaledParam, same: Sequence[Tensor]) -> float:
    rows = () if param.own_start is None else param.own_start.zero_rows
    squares = [root_mean_square(p + param.offset, without=rows) ** 2 for p in same]
    return (sum(squares) / len(squares)) ** 0.5


def _family_std(config: object, pair: ModelPair, param: ScaledParam) -> float | None:
    if pair.architecture is None:
        return None
    return pair.architecture.own_std(config, param.spec.pattern, int(param.depth.base))
