"""What stable, maximal feature learning demands of a layer, stated as equations.

Two principles give every line (zheng2026, Section 3). P1: features, and their change in one step,
stay Θ(1) in RMS norm. P2: each weight's own contribution to the change is as large as P1 allows.
What is written down here are the sums over blocks that follow; their solution is left to
:mod:`specmup.theory.equations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations

from specmup.theory.equations import Bound, Combination, Equation, System
from specmup.theory.order import DEPTH, ONE, Exponent, Order
from specmup.theory.terms import Term, product

ALPHA = Term.unknown("α")

# N independent vectors add like √N, N aligned ones like N; either sum must be Θ(1).
INDEPENDENT = Fraction(1, 2)
ALIGNED = Fraction(1)
# The share of one of L blocks in it.
INDEPENDENT_SHARE = DEPTH**-INDEPENDENT
ALIGNED_SHARE = DEPTH**-ALIGNED

# A branch of k maps has 2^k - 1 equations. They are solved one by one, so k stays small.
LARGEST_BLOCK_DEPTH = 12


def norm(name: str) -> Term:
    """The unknown ‖name‖_R, for instance ``norm("W1")`` or ``norm("ΔW1")``."""
    return Term.unknown(f"‖{name}‖")


@dataclass(frozen=True)
class Path:
    """One way through a residual branch: the maps that a signal meets, first to last.

    The features pass through all k maps, W1 … Wk. A bias starts a path of its own: the constant 1
    meets b1 and then W2 … Wk (zheng2026, Condition B.3). A trainable gain g in front of the branch
    is one more map, a diagonal one, and the features meet it first.
    """

    maps: tuple[str, ...]

    @property
    def start(self) -> Term:
        """Size of the path's output at initialisation, with the multiplier: α·∏‖W‖."""
        return ALPHA * product(norm(m) for m in self.maps)

    def moved(self, subset: tuple[str, ...]) -> Term:
        """The same with the maps in ``subset`` replaced by their updates."""
        return ALPHA * product(norm(f"Δ{m}" if m in subset else m) for m in self.maps)

    def subsets(self, largest: int | None = None) -> Iterator[tuple[str, ...]]:
        """Every non-empty subset of at most ``largest`` maps (default: all), small ones first."""
        for size in range(1, min(len(self.maps), largest or len(self.maps)) + 1):
            yield from combinations(self.maps, size)


@dataclass(frozen=True)
class ResidualCondition:
    """The condition on a branch of ``block_depth`` maps, as equations and as their solution.

    For each path and each non-empty subset S of its maps, the terms in which exactly S has moved
    add up over the L blocks, and the sum must be Θ(1). If they are aligned, each is Θ(1/L). At
    initialisation the blocks are independent, so each path's output may be as large as 1/√L
    (zheng2026, Conditions 3.1, B.1–B.3).

    Args:
        block_depth: Number k of linear maps in a branch.
        bias: Whether every map has a bias.
        gain: Whether a trainable gain stands in front of the maps.
        highest_order: State only the equations in which at most this many maps have moved;
            None states them all.
        addition: For the orders 1, 2, … the p in "L terms add up to L^p times one of them", from
            1/2 (independent) to 1 (aligned); orders beyond it are taken as aligned.
        terms: How many such branches add up: the L blocks, or more where each holds several.

    Raises:
        ValueError: If ``block_depth`` is not an integer from 1 to 12, or an exponent of addition
            does not lie between 1/2 and 1.
    """

    block_depth: int
    bias: bool = False
    gain: bool = False
    highest_order: int | None = None
    addition: tuple[Exponent, ...] = ()
    terms: Order = DEPTH

    def __post_init__(self) -> None:
        """Check the block depth and the exponents of addition."""
        for order, p in enumerate(self.addition, start=1):
            if not Fraction(1, 2) <= Fraction(p) <= 1:
                raise ValueError(
                    f"terms of order {order} add up like L^{p}: independent ones do like L^(1/2), "
                    "aligned ones like L, and nothing lies outside these two"
                )
        k = self.block_depth
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(
                f"block depth is {k!r}: it is the number of maps in a branch, 1 (Depth-μP), "
                "2 (CompleteP), 3 and so on"
            )
        if k > LARGEST_BLOCK_DEPTH:
            raise ValueError(
                f"block depth is {k}: conditions are solved up to {LARGEST_BLOCK_DEPTH} maps; "
                "from 2 on, the rules no longer change, so ask for 2"
            )

    @property
    def paths(self) -> tuple[Path, ...]:
        """The path of the features, then one for each bias."""
        maps = tuple(f"W{i}" for i in range(1, self.block_depth + 1))
        features = ("g", *maps) if self.gain else maps
        biases = [(f"b{i}", *maps[i:]) for i in range(1, self.block_depth + 1)]
        return (Path(features), *(Path(p) for p in biases if self.bias))

    def share(self, order: int) -> Order:
        """Size of one block's term of an order, for the sum over blocks to be Θ(1)."""
        given = self.addition[order - 1 : order]
        return self.terms ** -(Fraction(given[0]) if given else ALIGNED)

    @property
    def independent_share(self) -> Order:
        """Largest size of one block's output at the start, where the blocks are independent."""
        return self.terms**-INDEPENDENT

    @cached_property
    def system(self) -> System:
        """One equation for each path and subset, one bound for each path's start."""
        equations = [
            Equation(
                f"[{','.join(subset)}]" + _suffix(path), path.moved(subset), self.share(len(subset))
            )
            for path in self.paths
            for subset in path.subsets(self.highest_order)
        ]
        # The smaller subsets first, so that the higher orders are the ones called redundant.
        equations.sort(key=lambda e: (e.name.endswith(")"), e.name.count(",")))
        bounds = [Bound("start" + _suffix(p), p.start, self.independent_share) for p in self.paths]
        return System(tuple(equations), tuple(bounds))

    @property
    def start(self) -> Combination | None:
        """Why the initial product α·∏‖W‖ has its size; None where it is free up to its bound."""
        return self.system.derive(self.paths[0].start)

    @property
    def start_size(self) -> Order:
        """Largest admissible order of α·∏‖W‖: the forced one, or else the bound."""
        return self.start.size if self.start else self.independent_share

    @property
    def gauge(self) -> tuple[Term, ...]:
        """Free rescalings that change no term at all: W → cW with α → α/c, one a map (or gain)."""
        terms = [p.moved(s) for p in self.paths for s in ((), *p.subsets())]
        return System(tuple(Equation(str(t), t, ONE) for t in terms)).freedom

    @property
    def free_sizes(self) -> int:
        """Number of free sizes beyond the gauge: one for one map alone, none for two or more.

        Without biases.
        """
        return len(self.system.freedom) - len(self.gauge)

    def proof(self) -> Proof:
        """Readable account of what the equations force."""
        return Proof(self)


@dataclass(frozen=True, repr=False)
class Proof:
    """What a condition forces and why; prints as text, and as mathematics in a notebook."""

    condition: ResidualCondition

    def __str__(self) -> str:
        """The proof as plain text."""
        condition, start = self.condition, self.condition.paths[0].start
        if condition.start is None:
            return (
                "\n".join(map(str, condition.system.equations))
                + f"\nNo combination of these yields {start}: it stays free, up to its bound"
                f" {start} = O({condition.independent_share})."
            )
        return condition.start.proof() + "\n" + self._redundancy()

    __repr__ = __str__

    def _redundancy(self) -> str:
        count = len(self.condition.system.redundant)
        total = len(self.condition.system.equations)
        if not count:
            return f"All {total} equations are independent."
        return f"{count} of the {total} equations follow from the others."

    def _repr_markdown_(self) -> str:
        condition, start = self.condition, self.condition.paths[0].start
        if condition.start is None:
            stated = r" \\ ".join(
                f"{e.term.latex()} &= {e.size.latex()}" for e in condition.system.equations
            )
            return (
                f"$$\\begin{{aligned}}{stated}\\end{{aligned}}$$\n\nNo combination of these yields"
                f" ${start.latex()}$: it stays free, up to its bound"
                f" $O({condition.independent_share.latex()})$."
            )
        return f"$${condition.start.latex()}$$\n\n{self._redundancy()}"


def solve_condition(
    block_depth: int,
    bias: bool = False,
    gain: bool = False,
    addition: tuple[Exponent, ...] = (),
    terms: Order = DEPTH,
) -> ResidualCondition:
    """State and solve the condition on a branch of ``block_depth`` maps.

    As :class:`ResidualCondition`, which see.
    """
    return ResidualCondition(block_depth, bias, gain, addition=addition, terms=terms)


def end_system(weight: str) -> System:
    """Condition on the input or the output layer: α‖W‖_R = 1 and α‖ΔW‖_R = 1.

    There is one such layer, not L of them, so no sum over blocks divides it (zheng2026, Eq. 3.1).
    """
    path = Path((weight,))
    return System(
        (
            Equation("start", path.start, ONE),
            Equation(f"[{weight}]", path.moved((weight,)), ONE),
        )
    )


def _suffix(path: Path) -> str:
    return f" (from {path.maps[0]})" if path.maps[0].startswith("b") else ""
