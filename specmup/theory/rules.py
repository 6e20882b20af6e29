"""Scaling rules: the condition, an update law and a gauge, put together.

The condition fixes how large each weight and each of its updates must be. The update law says how
large the optimizer's step is. Their quotient is the learning rate, and the rest follows:

    learning rate  η = ‖ΔW‖_R / ‖A‖_R        weight decay  λ = ‖A‖_R / ‖W‖_R

(zheng2026, Section 4). Every entry of a rule is the factor by which a base value is multiplied
when the width grows by r_n and the depth by r_L.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic

from specmup.theory.condition import ALPHA, Path, ResidualCondition, end_system, norm
from specmup.theory.equations import Equation, System
from specmup.theory.layer import Layer
from specmup.theory.order import DEPTH, ONE, WIDTH, Number, Order, S
from specmup.theory.tables import ROLES, Rule, Rules
from specmup.theory.update import UpdateLaw, adamw, update_law

# The convention for the output layer: entries of size one, so ‖W‖_R = √n·‖W‖₂ = n. For every
# other weight the convention is ‖W‖_R = 1. Any other choice is a change of gauge.
OUTPUT_NORM = WIDTH

# Said of the gain's row for k = 1, which keeps its first-order term alone.
GAIN_BEFORE_ONE_MAP = (
    "a trainable gain is one more map, so the branch holds two and its rule is that of k = 2; "
    "under this one the term in which both move fades"
)

# Trains all other parameters beside an optimizer that is made for hidden matrices.
COMPANION = adamw()


@dataclass(frozen=True)
class SolvedLayer(Generic[S]):
    """One role's sizes, as the condition and a gauge fix them.

    Args:
        role: One of :data:`ROLES`.
        layer: Fans, sensitivity and ‖W‖_R: all that an update law may depend on.
        multiplier: Order of the multiplier.
        update_norm: Order that ‖ΔW‖_R must have.
    """

    role: str
    layer: Layer[S]
    multiplier: S
    update_norm: S

    def regauged(self, c: S) -> SolvedLayer[S]:
        """The same function in the variable W' with W = c·W'; c moves into the multiplier.

        The weight and its update shrink by c, and the loss becomes c times as sensitive to them.
        """
        layer = self.layer
        shifted = Layer(layer.fan_out, layer.fan_in, layer.sensitivity * c, layer.weight_norm / c)
        return SolvedLayer(self.role, shifted, self.multiplier * c, self.update_norm / c)

    def folded(self) -> SolvedLayer[S]:
        """The gauge in which the multiplier does not scale, so that model code stays untouched.

        It concerns the parameters next to the multiplier: the output matrix, or the last map of a
        branch and that map's bias. The branch's earlier maps keep their sizes.
        """
        return self.regauged(self.multiplier**-1)

    def at(
        self: SolvedLayer[Order],
        *,
        fan_out: float,
        fan_in: float,
        width: float,
        depth: float,
        **counts: float,
    ) -> SolvedLayer[Number]:
        """The same sizes as numbers, for one parameter of a real network.

        Dividing a rule made from this by that of a base network gives factors that also hold where
        the parameter's fans do not grow like the width of the stream.

        Args:
            fan_out: The parameter's number of outputs.
            fan_in: Its number of inputs; 1 for biases, gains and one-hot inputs.
            width: Width n of the residual stream.
            depth: Number L of blocks.
            counts: Where the sizes depend on them, by their names in
                :data:`specmup.theory.powers.COUNTS`.
        """

        def number(order: Order) -> Number:
            return Number(order.evaluate(width, depth, **counts))

        sizes = self.layer.sensitivity, self.layer.weight_norm
        layer = Layer(Number(fan_out), Number(fan_in), *map(number, sizes))
        return SolvedLayer(self.role, layer, number(self.multiplier), number(self.update_norm))

    def rule(self, law: UpdateLaw) -> Rule[S]:
        """The factors for one optimizer."""
        step = law.step(self.layer).rms_operator
        return Rule(
            role=self.role,
            multiplier=self.multiplier,
            init_variance=self.layer.init_std**2,
            learning_rate=self.update_norm / step,
            weight_decay=step / self.layer.weight_norm,
            epsilon=None if law.epsilon is None else law.epsilon(self.layer),
        )


def rules(optimizer: str, block_depth: int) -> Rules:
    """The rules that the condition gives one optimizer for branches of ``block_depth`` maps.

    Args:
        optimizer: A name in :data:`specmup.theory.update.LAWS`; it trains every parameter.
        block_depth: Number k of maps in a branch, k ≥ 1.

    Raises:
        ValueError: If the optimizer is unknown or the block depth is not a positive integer.

    >>> hidden = rules("adamw", block_depth=2)["hidden"]
    >>> print(hidden.multiplier, hidden.init_variance, hidden.learning_rate, sep=", ")
    L^-1, n^-1, n^-1
    """
    law = update_law(optimizer)
    return _rules(law.title, dict.fromkeys(ROLES, law), block_depth)


def hybrid(matrix: str, rest: str, block_depth: int) -> Rules:
    """Rules for optimizer ``matrix`` on hidden matrices and ``rest`` on all other parameters."""
    main, other = update_law(matrix), update_law(rest)
    return _rules(f"{main.title} with {other.title}", _side_by_side(main, other), block_depth)


def laws_of(law: UpdateLaw) -> dict[str, UpdateLaw]:
    """What trains each role: an optimizer, or where it is made for matrices AdamW beside it."""
    return _side_by_side(law, COMPANION if law.matrices_only else law)


def _side_by_side(matrices: UpdateLaw, rest: UpdateLaw) -> dict[str, UpdateLaw]:
    return {role: matrices if role == "hidden" else rest for role in ROLES}


def _rules(title: str, laws: Mapping[str, UpdateLaw], block_depth: int) -> Rules:
    rows = tuple(solved.rule(laws[role]) for role, solved in solved_layers(block_depth).items())
    notes = {"norm_gain": GAIN_BEFORE_ONE_MAP} if block_depth == 1 else {}
    return Rules(f"{title}, k = {block_depth}", rows, notes)


def standard(optimizer: str) -> Rules:
    """Standard parametrization (SP), a convention and not a solution of anything.

    Weights start with variance 1/fan-in; multiplier, learning rate, decay and ε never change.
    """
    law = update_law(optimizer)
    epsilon = None if law.epsilon is None else ONE
    variance = {"hidden": WIDTH**-1, "output": WIDTH**-1}
    rows = (Rule(r, ONE, variance.get(r, ONE), ONE, ONE, epsilon) for r in ROLES)
    return Rules(f"{law.title}, standard parametrization", tuple(rows))


def parametrization(name: str, optimizer: str) -> Rules:
    """Rules by the name that experiments use: ``sp``, ``k1`` or ``k2``.

    An optimizer made for hidden matrices gets AdamW as its companion on everything else.

    Raises:
        ValueError: If the name or the optimizer is unknown.
    """
    if name == "sp":
        return standard(optimizer)
    if name not in ("k1", "k2"):
        raise ValueError(f"unknown parametrization {name!r}: choose one of sp, k1, k2")
    block_depth = int(name[1:])
    law = update_law(optimizer)
    title = f"{law.title} with {COMPANION.title}" if law.matrices_only else law.title
    return _rules(title, laws_of(law), block_depth)


def parametrizations(
    rules: Sequence[str] | Mapping[str, Rules], optimizer: str
) -> Mapping[str, Rules]:
    """Rules by name: those of named parametrizations, or rules of one's own as they are."""
    if isinstance(rules, Mapping):
        return rules
    return {name: parametrization(name, optimizer) for name in rules}


@cache
def solved_layers(block_depth: int) -> Mapping[str, SolvedLayer[Order]]:
    """All six roles' sizes in the conventional gauge, for branches of ``block_depth`` maps."""
    first, output, hidden = end_system("W"), end_system("W"), branch_system(block_depth)
    gauge_one = [Equation("gauge", norm("W"), ONE)]
    gauge_out = [Equation("gauge", norm("W"), OUTPUT_NORM)]
    first, output = first.adding(gauge_one), output.adding(gauge_out)
    weight, vector = Path(("W",)), (WIDTH, ONE)
    maps = tuple(f"W{i}" for i in range(1, block_depth + 1))
    solved = (
        solve_layer("input", first, weight, "W", vector),
        solve_layer("hidden", hidden, Path(maps), "W1", (WIDTH, WIDTH)),
        solve_layer("output", output, weight, "W", (ONE, WIDTH)),
        solve_layer("input_bias", first, weight, "W", vector),
        solve_layer("hidden_bias", hidden, Path(("b1", *maps[1:])), "b1", vector),
        solve_layer("norm_gain", hidden, Path(("g", *maps)), "g", vector),
    )
    return {layer.role: layer for layer in solved}


def branch_system(block_depth: int, terms: Order = DEPTH) -> System:
    """The branch's condition with its gauge fixed: every weight, bias and gain of size one.

    Args:
        block_depth: Number k of maps in a branch.
        terms: How many such branches add up.
    """
    alone = block_depth == 1
    # Orders above the second follow from the first two for every k, as chapter 6 shows.
    condition = ResidualCondition(
        block_depth, bias=True, gain=not alone, highest_order=2, terms=terms
    )
    path = condition.paths[0]
    # Where the equations leave the start free, P2 takes the largest that P1 allows.
    extra = [Equation("largest start", path.start, condition.start_size)]
    if alone:
        # All equations of a gain and a map would force that start: see GAIN_BEFORE_ONE_MAP.
        before = Path(("g", *path.maps))
        extra.append(Equation("[g]", before.moved(("g",)), condition.share(1)))
    names = dict.fromkeys(m for path in condition.paths for m in path.maps)
    fixed = [Equation(f"gauge {m}", norm(m), ONE) for m in dict.fromkeys((*names, "g"))]
    return condition.system.adding([*extra, *fixed])


def solve_layer(
    role: str, system: System, path: Path, name: str, fans: tuple[Order, Order]
) -> SolvedLayer[Order]:
    """The sizes of the map ``name`` of a path, in a system that leaves none of them free."""
    update = system.size(norm(f"Δ{name}"))
    # The output moves by the size of the path's first-order term; per unit of ‖ΔW‖_R that is s.
    sensitivity = system.size(path.moved((name,))) / update
    layer = Layer(*fans, sensitivity, system.size(norm(name)))
    return SolvedLayer(role, layer, system.size(ALPHA), update)
