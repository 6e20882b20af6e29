"""Which equations of the condition what was read breaks, by how much, and what that looks like.

The condition is a product of sizes for each equation. What was read is that product times the
deviations of its sizes, so every equation is evaluated, and the sum over blocks tells the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from specmup.parametrization.model_pair import ModelPair, ScaledParam
from specmup.theory.condition import ALPHA, INDEPENDENT_SHARE, Path, ResidualCondition, end_system
from specmup.theory.equations import Bound, Equation, Statement, Term
from specmup.theory.order import ONE, WIDTH, Order
from specmup.theory.rules import solved_layers


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
        deviations: Of each pattern of parameters that is trained.
    """
    found: list[Broken] = []
    for param in pair.params:
        if param.spec.pattern not in deviations:
            continue
        if param.role in ("input", "output", "input_bias"):
            found += _at_an_end(param, deviations[param.spec.pattern])
        elif param.role == "hidden" and param.place != "branch_end":
            found += _in_branch(param, _end_of(param, pair), pair.block_depth, deviations)
        elif param.role == "hidden":
            found += _in_branch(param, param, pair.block_depth, deviations)
        else:
            found += _vector(param, pair, deviations)
    return list({(str(b.statement), str(b.where)): b for b in found}.values())


def _at_an_end(param: ScaledParam, off: Deviation) -> Iterator[Broken]:
    start, update = end_system("W").equations
    where = {"W": param.spec.pattern}
    small_start = param.role == "input_bias" and not param.spec.is_gain and off.start <= ONE
    if off.start != ONE and not small_start:
        yield Broken(start, where, off.start, _end_start(param, off.start))
    if off.update != ONE:
        yield Broken(update, where, off.update, _end_update(param, off.update))


def _end_start(param: ScaledParam, off: Order) -> str:
    if param.role != "output":
        subject = "a bias" if param.role == "input_bias" else "the features after the input"
        return f"{subject} {trend(off)} at the start"
    # Rows of a start are independent of the features: √n smaller than what training aligns.
    independent = off * WIDTH ** "-1/2"
    if _grows(independent):
        return f"logits {trend(independent)} at the start, {trend(off)} once features align"
    return f"{_shape(off, 'logits', 'the readout')} once features align with its rows"


def _shape(off: Order, grown: str, faded: str) -> str:
    return f"{grown if _grows(off) else faded} {trend(off)}"


def _end_update(param: ScaledParam, off: Order) -> str:
    subjects = {
        "output": "the change of the logits by a step",
        "input": "the change of the features by a step of the input layer",
        "input_bias": "its share in a step's change of the features",
    }
    return f"{subjects[param.role]} {trend(off)}"


@cache
def _condition(block_depth: int) -> ResidualCondition:
    return ResidualCondition(min(block_depth, 2), bias=True)


def _in_branch(
    first: ScaledParam, last: ScaledParam, block_depth: int, all_of: Mapping[str, Deviation]
) -> Iterator[Broken]:
    """The equations in which one map of a branch and its last one stand."""
    condition = _condition(block_depth)
    path = condition.paths[0]
    params = dict(zip(path.maps, (last,) if len(path.maps) == 1 else (first, last), strict=True))
    sizes = {m: all_of.get(p.spec.pattern, Deviation()) for m, p in params.items()}
    where = {m: p.spec.pattern for m, p in params.items()}
    start = _product(path.start, sizes)
    if condition.start is not None:
        forced = Equation("start", path.start, condition.start_size)
        if start != ONE:
            yield Broken(forced, where, start, _branch_start(start, condition))
    elif not start <= ONE:
        bound = Bound("start", path.start, condition.start_size)
        yield Broken(bound, where, start, _branch_start(start, condition))
    for subset in path.subsets():
        term = path.moved(subset)
        off = _product(term, sizes)
        if off != ONE:
            equation = Equation(f"[{','.join(subset)}]", term, condition.share(len(subset)))
            yield Broken(equation, where, off, _branch_update(off, len(subset)))


def _branch_start(off: Order, condition: ResidualCondition) -> str:
    if not _grows(off):
        return f"branches {trend(off)} at the start"
    total = off * condition.start_size / INDEPENDENT_SHARE
    aligned = off * condition.start_size / condition.share(1)
    if _grows(total):
        return f"the stream {trend(total)} at the start, {trend(aligned)} once blocks align"
    return f"level at the start; the stream {trend(aligned)} once blocks align"


def _branch_update(off: Order, order: int) -> str:
    if order == 1:
        return f"the stream's change by a step of this map {trend(off)}"
    return f"what two maps of a branch learn together {trend(off)}"


def _vector(
    param: ScaledParam, pair: ModelPair, all_of: Mapping[str, Deviation]
) -> Iterator[Broken]:
    """A bias or a gain of a branch moves: its term meets the map at the branch's end."""
    own, end = all_of[param.spec.pattern], _end_of(param, pair)
    last = all_of.get(end.spec.pattern, Deviation())
    inside = param.place != "branch_end" and pair.block_depth > 1
    letter = "g" if param.role == "norm_gain" else "b"
    path = Path((letter, "W") if inside or letter == "g" else (letter,))
    off = _product(path.moved((letter,)), {letter: own, "W": last})
    where = {letter: param.spec.pattern} | ({"W": end.spec.pattern} if len(path.maps) > 1 else {})
    if off != ONE:
        condition = _condition(pair.block_depth)
        equation = Equation(f"[{letter}]", path.moved((letter,)), condition.share(1))
        yield Broken(equation, where, off, _branch_update(off, 1).replace("map", "vector"))
    if param.spec.is_gain and own.start != ONE:
        start = Equation("start", path.start, condition_start(pair.block_depth))
        yield Broken(start, where, own.start * last.start, f"the branch's input {trend(own.start)}")


def condition_start(block_depth: int) -> Order:
    """Size of a branch's start."""
    return _condition(block_depth).start_size


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


def _end_of(param: ScaledParam, pair: ModelPair) -> ScaledParam:
    """The map that ends the branch in which a parameter stands: the next of kin by name."""
    ends = [p for p in pair.params if p.place == "branch_end" and p.role == "hidden"]
    after = pair.params.index(param)

    def kinship(end: ScaledParam) -> tuple[int, bool, int]:
        pairs = zip(param.spec.pattern.split("."), end.spec.pattern.split("."), strict=False)
        common = next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
        place = pair.params.index(end)
        return common, place > after, -place

    return max(ends, key=kinship)


def _grows(off: Order) -> bool:
    return off.width > 0 or off.depth > 0


def trend(off: Order) -> str:
    """Words for a factor: what grows and what fades, each along the axes that do."""
    parts = [Order(width=off.width), Order(depth=off.depth)]
    grown = [part for part in parts if _grows(part)]
    faded = [part for part in parts if part != ONE and part not in grown]
    told = [("grows", grown), ("fades", faded)]
    return " and ".join(f"{verb} ∝ {'·'.join(map(str, sizes))}" for verb, sizes in told if sizes)
