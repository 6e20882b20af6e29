"""Which equations of the condition what was read breaks, by how much, and what that looks like.

The condition is a product of sizes for each equation. What was read is that product times the
deviations of its sizes, so every equation is evaluated, and the sum over blocks tells the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.theory.condition import (
    ALIGNED_SHARE,
    ALPHA,
    INDEPENDENT_SHARE,
    Path,
    ResidualCondition,
    end_system,
    norm,
)
from specmup.theory.equations import Bound, Equation, Statement
from specmup.theory.order import ONE, WIDTH, Order
from specmup.theory.rules import solved_layers
from specmup.theory.terms import Term


@dataclass(frozen=True)
class Deviation:
    """How far a parameter is from its rule, with every constant folded in.

    Args:
        start: Of ‖W‖.
        update: Of ‖ΔW‖.
    """

    start: Order = ONE
    update: Order = ONE


def deviation(param: ScaledParam, block_depth: int, start: Order, rate: Order) -> Deviation:
    """The deviation of a parameter from those of its start and of its learning rate.

    A step may be of the size of the weight, so a start that is off can move it, too.
    """
    layer = solved_layers(block_depth)[param.role].layer
    off = replace(layer, weight_norm=layer.weight_norm * start)
    step = param.law.step(off).rms_operator / param.law.step(layer).rms_operator
    return Deviation(start, rate * step)


@dataclass(frozen=True)
class Broken:
    """An equation that does not hold.

    Args:
        statement: The equation or bound of the condition.
        where: What its weights are called here: ``{"W1": "blocks.*.up.weight"}``.
        off: The factor by which its left side is off.
        look: What it will look like.
    """

    statement: Statement
    where: Mapping[str, str]
    off: Order
    look: str


def broken(pair: ModelPair, deviations: Mapping[str, Deviation]) -> list[Broken]:
    """Every equation of the condition that does not hold.

    Args:
        pair: The parameters in their places.
        deviations: Of patterns of parameters; others are taken to be as they should.
    """
    found: list[Broken] = []
    for param in pair.params:
        end = _end_of(param, pair)
        if param.role in ("input", "output", "input_bias") or end is None:
            found += _at_an_end(param, deviations)  # a network without branches has ends alone
        elif param.role != "hidden":
            found += _vector(param, end, pair, deviations)
        elif param.place != "branch_end" or param.spec.stacked or not _before(param, pair):
            found += _in_branch(param, end, pair.block_depth, deviations)
    return list({(b.statement.name, *b.where.values()): b for b in found}.values())


def _before(end: ScaledParam, pair: ModelPair) -> bool:
    """Whether other maps stand in the branch that a map ends."""
    others = (p for p in pair.params if p.role == "hidden" and p.place != "branch_end")
    return any(_end_of(param, pair) is end for param in others)


def _at_an_end(param: ScaledParam, all_of: Mapping[str, Deviation]) -> Iterator[Broken]:
    start, update = end_system("W").equations
    off, where = all_of.get(param.spec.pattern, Deviation()), {"W": param.spec.pattern}
    if off.start != ONE and not (_may_be_small(param) and off.start <= ONE):
        yield Broken(start, where, off.start, _end_start(param, off.start))
    if off.update != ONE:
        yield Broken(update, where, off.update, _end_update(param, off.update))


def _may_be_small(param: ScaledParam) -> bool:
    return param.role in ("input_bias", "hidden_bias") and not param.spec.is_gain


def _end_start(param: ScaledParam, off: Order) -> str:
    if _moved_by(param) == "stream":
        return f"at the start the stream {trend(off)}"
    # Rows of a start are independent of the features: √n smaller than what training aligns.
    independent = off * WIDTH ** "-1/2"
    if _grows(independent):
        return f"at the start the output {trend(independent)}, {trend(off)} once features align"
    return f"the start's share in the output {trend(off)} once features align with it"


def _end_update(param: ScaledParam, off: Order) -> str:
    return f"what a step of it adds to the {_moved_by(param)} {trend(off)}"


def _moved_by(param: ScaledParam) -> str:
    """What a parameter outside the blocks moves: the stream's start, or what is read out."""
    return "output" if param.place in ("head", "final_norm") else "stream"


@cache
def _condition(block_depth: int) -> ResidualCondition:
    return ResidualCondition(min(block_depth, 2), bias=True)


def _in_branch(
    first: ScaledParam, last: ScaledParam, block_depth: int, all_of: Mapping[str, Deviation]
) -> Iterator[Broken]:
    """The equations in which one map of a branch and its last one stand."""
    condition = _condition(block_depth)
    path = condition.paths[0]
    params = dict(zip(path.maps, (first, last)[-len(path.maps) :], strict=True))
    sizes = {m: all_of.get(p.spec.pattern, Deviation()) for m, p in params.items()}
    where = {m: p.spec.pattern for m, p in params.items()}
    start = _product(path.start, sizes)
    forced = condition.start is not None
    if start != ONE and (forced or not start <= ONE):
        kind = Equation if forced else Bound
        statement = kind("start", path.start, condition.start_size)
        yield Broken(statement, where, start, _branch_start(start, condition))
    for subset in path.subsets():
        term = path.moved(subset)
        off = _product(term, sizes)
        if off != ONE:
            equation = Equation(f"[{','.join(subset)}]", term, condition.share(len(subset)))
            yield Broken(equation, where, off, _branch_update(off, len(subset)))


def _branch_start(off: Order, condition: ResidualCondition) -> str:
    """What the sum over blocks becomes: √L of them as they start, L once they align."""
    if not _grows(off):
        return f"at the start a branch {trend(off)}"
    total = _grown(off * condition.start_size / INDEPENDENT_SHARE)
    told = f"{trend(_grown(off * condition.start_size / ALIGNED_SHARE))} once blocks align"
    if _grows(total):
        return f"at the start the stream {trend(total)}, {told}"
    return f"level at the start, the stream {told}"


def _branch_update(off: Order, order: int, kind: str = "map") -> str:
    if order == 1:
        return f"what a step of this {kind} adds to the stream {trend(off)}"
    return f"what two maps of a branch learn together {trend(off)}"


def _vector(
    param: ScaledParam, end: ScaledParam, pair: ModelPair, all_of: Mapping[str, Deviation]
) -> Iterator[Broken]:
    """A bias or a gain of a block: in a branch, its term meets the map at the branch's end."""
    condition = _condition(pair.block_depth)
    letter = "g" if param.role == "norm_gain" else "b"
    ends = param.place in ("branch_end", "stream_norm")
    inside = not ends and (letter == "g" or pair.block_depth > 1)
    path = Path((letter, "W") if inside else (letter,))
    params = dict(zip(path.maps, (param, end), strict=False))
    sizes = {m: all_of.get(p.spec.pattern, Deviation()) for m, p in params.items()}
    where = {m: p.spec.pattern for m, p in params.items()}
    # Of the stream itself: it stands in no branch, behind no multiplier.
    term = norm(f"Δ{letter}") if param.place == "stream_norm" else path.moved((letter,))
    off, start = _product(term, sizes), sizes[letter].start
    if off != ONE:
        equation = Equation(f"[{letter}]", term, condition.share(1))
        yield Broken(equation, where, off, _branch_update(off, 1, "vector"))
    if start != ONE and not (_may_be_small(param) and start <= ONE):
        statement = Equation("start", norm(letter), ONE)
        on_stream = param.place == "stream_norm"
        look = f"the stream {trend(start)}" if on_stream else _branch_start(start, condition)
        yield Broken(statement, {letter: where[letter]}, start, look)


def _product(term: Term, sizes: Mapping[str, Deviation]) -> Order:
    """The factor by which a term is off: each of its sizes' deviation to its power."""
    off = ONE
    for name, power in term.powers:
        if name == str(ALPHA):
            continue  # folded into the map beside it
        inner = name.strip("‖")
        size = sizes[inner.removeprefix("Δ")]
        off = off * (size.update if inner.startswith("Δ") else size.start) ** power
    return off


def _end_of(param: ScaledParam, pair: ModelPair) -> ScaledParam | None:
    """The map or gain that ends the branch in which a parameter stands: the next of kin by name.

    None where there are no branches.
    """
    kinds = ("hidden", "norm_gain")
    ends = [p for p in pair.params if p.place == "branch_end" and p.role in kinds]
    after = pair.params.index(param)

    def kinship(end: ScaledParam) -> tuple[int, bool, int]:
        pairs = zip(param.spec.pattern.split("."), end.spec.pattern.split("."), strict=False)
        common = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
        place = pair.params.index(end)
        return common, place > after, -place

    return max(ends, key=kinship, default=None)


def _grown(off: Order) -> Order:
    """Along the axes in which it grows: what fades beside them shows nowhere."""
    return Order(max(off.width, Fraction(0)), max(off.depth, Fraction(0)))


def _grows(off: Order) -> bool:
    return off.width > 0 or off.depth > 0


def trend(off: Order) -> str:
    """Words for a factor: what grows and what fades, each along the axes that do."""
    parts = [Order(width=off.width), Order(depth=off.depth)]
    grown = [part for part in parts if _grows(part)]
    faded = [part for part in parts if part != ONE and part not in grown]
    told = [("grows", grown), ("fades", faded)]
    return " and ".join(f"{verb} ∝ {'·'.join(map(str, sizes))}" for verb, sizes in told if sizes)
