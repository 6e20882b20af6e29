"""Any table of rules held against the condition: which demands it meets, and by what it misses.

The solver goes from the condition to a table; here the way is walked backwards. A table says how
large every weight starts and how far an optimizer moves it. Put into the equations, each is met or
off by an order, so that rules printed by others, in gauges of their own, can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from specmup.theory.condition import Path, ResidualCondition, end_system
from specmup.theory.layer import HALF, Layer
from specmup.theory.order import ONE, Order
from specmup.theory.rules import laws_of, solved_layers
from specmup.theory.tables import Rule, Rules
from specmup.theory.terms import Term
from specmup.theory.update import UpdateLaw, update_law

IN_BRANCH = ("hidden", "hidden_bias", "norm_gain")


def fans(role: str) -> tuple[Order, Order]:
    """(n_out, n_in) of a role, as the solver has them."""
    layer = solved_layers(2)[role].layer
    return layer.fan_out, layer.fan_in


@dataclass(frozen=True)
class Departure:
    """One demand on a role, and what a table makes of it.

    Args:
        role: One of :data:`specmup.theory.tables.ROLES`.
        demand: ``start``, ``order 1``, ``order 2`` … (how many maps moved), ``decay``, ``epsilon``.
        asked: The order that the condition demands.
        found: The order that the table gives.
        bound: Whether ``asked`` is only an upper bound.
    """

    role: str
    demand: str
    asked: Order
    found: Order
    bound: bool = False

    @property
    def off(self) -> Order:
        """By what the table misses the demand, or stays below a bound."""
        return self.found / self.asked

    @property
    def met(self) -> bool:
        """Whether the demand is met."""
        return self.found <= self.asked if self.bound else self.found == self.asked


@dataclass(frozen=True)
class Scaling:
    """What somebody's rules say, in whatever gauge they are written.

    Args:
        laws: By role, the update law that trains it.
        rows: By role. A row's ``multiplier`` stands next to each parameter itself.
        branch: The multiplier of a whole branch.
        zero: Roles that start at zero: nothing is demanded of their start and decay.
    """

    laws: Mapping[str, UpdateLaw]
    rows: Mapping[str, Rule[Order]]
    branch: Order = ONE
    zero: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rules: Rules, optimizer: str) -> Scaling:
        """The solver's rules, whose multiplier in a branch is that of the branch.

        Args:
            rules: From :mod:`specmup.theory.rules`.
            optimizer: A name in :data:`specmup.theory.update.LAWS`; beside one that is made for
                matrices, AdamW trains all but the hidden ones.

        Raises:
            ValueError: If the optimizer is unknown.
        """
        rows = {
            role: replace(row, multiplier=ONE) if role in IN_BRANCH else row
            for role, row in rules.items()
        }
        return cls(laws_of(update_law(optimizer)), rows, rules["hidden"].multiplier)

    def size(self, role: str) -> Order:
        """‖W‖_R at the start, with the multiplier next to it."""
        row = self.rows[role]
        unit = Layer(*fans(role), sensitivity=ONE, weight_norm=ONE)
        return row.multiplier * row.init_variance**HALF / unit.init_std

    def layer(self, role: str, block_depth: int) -> Layer[Order]:
        """The parameter as it is stored, without its multiplier: all that a law depends on.

        Its sensitivity is what the path holds beside it, from features of size one to the loss,
        which changes with the stream as much as the readout is large.
        """
        own = self.rows[role].multiplier
        beside = own if role == "output" else own * self.size("output")
        if role in IN_BRANCH:
            others = block_depth if role == "norm_gain" else block_depth - 1
            beside = beside * self.branch * self.size("hidden") ** others
        start = ONE if role in self.zero else self.size(role) / own
        return Layer(*fans(role), sensitivity=beside, weight_norm=start)

    def step(self, role: str, block_depth: int) -> Order:
        """‖A‖_R of the parameter as it is stored: a step before the learning rate."""
        return self.laws[role].step(self.layer(role, block_depth)).rms_operator

    def move(self, role: str, block_depth: int) -> Order:
        """‖ΔW‖_R of one step, with the multiplier next to it."""
        row = self.rows[role]
        return row.multiplier * row.learning_rate * self.step(role, block_depth)

    def regauged(self, role: str, c: Order, block_depth: int) -> Scaling:
        """The same training in the variable W' with W = c·W'; c moves into the multiplier.

        Args:
            role: Of the parameters that are replaced.
            c: What is taken out of each.
            block_depth: Number k of maps in a branch.
        """
        row, law, before = self.rows[role], self.laws[role], self.layer(role, block_depth)
        after = Layer(*fans(role), before.sensitivity * c, before.weight_norm / c)
        # The step of W' is that of W over c.
        steps = law.step(before).rms_operator / law.step(after).rms_operator
        epsilon = row.epsilon
        if epsilon is not None and law.epsilon is not None:
            epsilon = epsilon * law.epsilon(after) / law.epsilon(before)
        moved = Rule(
            role=role,
            multiplier=row.multiplier * c,
            init_variance=row.init_variance / c**2,
            learning_rate=row.learning_rate * steps / c,
            weight_decay=row.weight_decay * c / steps,
            epsilon=epsilon,
        )
        return replace(self, rows={**self.rows, role: moved})


def departures(scaling: Scaling, block_depth: int) -> tuple[Departure, ...]:
    """Every demand of the condition on networks of ``block_depth`` maps a branch.

    Each is judged by itself, with features at the size one that P1 asks for.

    Args:
        scaling: The rules to be judged, in the roles that it has.
        block_depth: Number k of maps in a branch.

    Raises:
        ValueError: If the block depth is not an integer from 1 to 12.
    """
    return tuple(_Trial(scaling, block_depth).all())


@dataclass(frozen=True)
class _Trial:
    """The demands, one after the other."""

    scaling: Scaling
    block_depth: int

    @cached_property
    def condition(self) -> ResidualCondition:
        return ResidualCondition(self.block_depth, bias="hidden_bias" in self.scaling.rows)

    def all(self) -> Iterator[Departure]:
        weight, *biases = self.condition.paths
        for role in self.scaling.rows:
            if role not in IN_BRANCH:
                yield from self.end(role)
            elif role == "norm_gain":
                term = Path(("g", *weight.maps)).moved(("g",))
                yield Departure(role, "order 1", self.condition.share(1), self.value(term))
            else:
                yield from self.path(role, weight if role == "hidden" else biases[0])
            yield from self.beside_the_step(role)

    def end(self, role: str) -> Iterator[Departure]:
        """The two equations of a layer that stands once."""
        start, moved = end_system("W").equations
        if role not in self.scaling.zero:
            yield Departure(role, "start", start.size, self.scaling.size(role))
        yield Departure(role, "order 1", moved.size, self.scaling.move(role, self.block_depth))

    def path(self, role: str, path: Path) -> Iterator[Departure]:
        """The start of a path through the branch, and its terms by how many maps have moved.

        All maps are alike, so one term stands for all of its order.
        """
        free = self.condition.start is None
        if role not in self.scaling.zero:
            asked = self.condition.start_size
            yield Departure(role, "start", asked, self.value(path.start), bound=free)
        for order in range(1, len(path.maps) + 1):
            asked, term = self.condition.share(order), path.moved(path.maps[:order])
            yield Departure(role, f"order {order}", asked, self.value(term))

    def beside_the_step(self, role: str) -> Iterator[Departure]:
        """Decay as large as a step, and ε as large as what it is added to."""
        row, layer = self.scaling.rows[role], self.scaling.layer(role, self.block_depth)
        if role not in self.scaling.zero:
            step = self.scaling.step(role, self.block_depth)
            yield Departure(role, "decay", step / layer.weight_norm, row.weight_decay)
        epsilon = self.scaling.laws[role].epsilon
        if epsilon is not None and row.epsilon is not None:
            yield Departure(role, "epsilon", epsilon(layer), row.epsilon)

    def value(self, term: Term) -> Order:
        """A term of a branch, with the sizes that the table gives to what stands in it."""
        result = ONE
        for name, power in term.powers:
            result = result * self.size_of(name.strip("‖")) ** power
        return result

    def size_of(self, name: str) -> Order:
        """Size of α, of a map or of its step: ``W1``, ``ΔW1``, ``b1``, ``g``."""
        if name == "α":
            return self.scaling.branch
        letter = name.strip("Δ0123456789")
        role = {"W": "hidden", "b": "hidden_bias", "g": "norm_gain"}[letter]
        if name.startswith("Δ"):
            return self.scaling.move(role, self.block_depth)
        return self.scaling.size(role)
