"""What rules would give every parameter at each size: the solver, asked at real shapes.

A rule is taken apart by axis, as it is a product of powers: what it does along the width and what
along the depth. So rules of one origin in width and another in depth are known for what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specmup.auditing.laws import law_of, main_law, stand_in
from specmup.auditing.reading import Reading
from specmup.inspection.model_pair import ModelPair, ScaledDim, ScaledParam
from specmup.inspection.observation import Observation
from specmup.inspection.pairing import pair_models
from specmup.inspection.questions import Declaration
from specmup.parametrization.factors import Factors, factors_of
from specmup.theory.order import Order

WIDTH, DEPTH = AXES = ("width", "depth")
# The rules that an axis may follow, by name: what the solver gives for k maps in a branch (None
# where the number does not matter), or the standard parametrization, which does nothing for depth.
WIDTH_RULES: Mapping[str, int | None] = {"μP": 2, "SP": None}
DEPTH_RULES: Mapping[str, int | None] = {"k = 1": 1, "k ≥ 2": 2, "no rule": None}


@dataclass(frozen=True)
class Axis:
    """Readings along which one size grows; the first is the base.

    Args:
        name: ``width`` or ``depth``.
        readings: From the smallest size to the largest.
        pairs: Each beside the base.
    """

    name: str
    readings: tuple[Reading, ...]
    pairs: tuple[ModelPair, ...]

    @property
    def sizes(self) -> list[float]:
        """How much the size has grown since the base."""
        return [getattr(pair, self.name).ratio for pair in self.pairs]

    def rules(self) -> Mapping[str, int | None]:
        """The rules that it may follow."""
        return WIDTH_RULES if self.name == WIDTH else DEPTH_RULES

    def needed(self, pattern: str, rule: str, gauge: str = "folded") -> list[Factors]:
        """Factors on the base's numbers of one parameter, at each size."""
        k = self.rules()[rule]
        parametrization = "sp" if k is None else "spectral"
        found = []
        for pair in self.pairs:
            asked = pair if k is None else replace(pair, block_depth=k)
            param = next(p for p in asked.params if p.spec.pattern == pattern)
            found.append(factors_of(param, asked, parametrization=parametrization, gauge=gauge))
        return found


def axes_of(name: str, readings: Sequence[Reading], corner: ModelPair) -> Axis:
    """Readings along one axis, each beside the first.

    Args:
        name: ``width`` or ``depth``.
        readings: From the smallest size to the largest.
        corner: The largest model beside the smallest: it tells the places.
    """
    return Axis(name, tuple(readings), tuple(at_size(corner, reading) for reading in readings))


def pair_of(
    largest: Reading, smallest: Reading, declared: Declaration, seen: Observation | None
) -> ModelPair:
    """Places and roles of all parameters as a plan would find them, under what really moves them.

    Raises:
        ValueError: If something is unknown, or the sizes make no difference; the message says what
            to declare.
    """
    laws = {p: n.law for p, n in smallest.numbers.items() if n.law is not None}
    if not laws:
        raise ValueError("the optimizer holds no parameter of the model: was another one built?")
    main = stand_in(main_law(laws.values()))
    pair = pair_models(largest.model, smallest.model, main, declared, seen=seen)
    for axis, asked, base in (
        (pair.width, largest.width, smallest.width),
        (pair.depth, largest.depth, smallest.depth),
    ):
        name = "width" if axis is pair.width else "depth"
        if asked != base and axis.ratio == 1:
            raise ValueError(
                f"build makes models of the same {name}, {axis.base:g}, when it is asked for "
                f"{base} and {asked}: hand on its arguments (width, depth) to the model"
            )
    return trained_by(pair, laws)


def trained_by(pair: ModelPair, laws: Mapping[str, str]) -> ModelPair:
    """The pair with each parameter under the optimizer that really moves it."""

    def moved(param: ScaledParam) -> ScaledParam:
        name = laws.get(param.spec.pattern)
        if name is None or name == param.law.name:
            return param
        return replace(param, law=law_of(name, transposed=param.spec.transposed))

    return replace(pair, params=tuple(moved(param) for param in pair.params))


def at_size(pair: ModelPair, reading: Reading) -> ModelPair:
    """The same pair with the model of another reading in place of the largest."""

    def dim(size: ScaledDim, now: float) -> ScaledDim:
        return ScaledDim(now, size.base)

    def depth(param: ScaledParam) -> float:
        return _blocks(pair, reading, param.spec.blocks)

    params = []
    for param in pair.params:
        spec = reading.spec.params[param.spec.pattern]
        out, into = spec.fans(one_hot=param.place == "embedding")
        params.append(
            replace(
                param,
                fan_out=dim(param.fan_out, out),
                fan_in=dim(param.fan_in, into),
                depth=dim(param.depth, depth(param)),
            )
        )
    deepest = max(pair.params, key=lambda param: param.depth.target)
    return replace(
        pair,
        params=tuple(params),
        width=dim(pair.width, _stream(pair, params)),
        depth=dim(pair.depth, depth(deepest)),
    )


def _stream(pair: ModelPair, params: Sequence[ScaledParam]) -> float:
    """Width of the stream at another size: of what has the pair's, of a branch's end if there is.

    Networks without branches have none, and other ends may be a single number, as in ReZero.
    """
    found = [
        (before.place != "branch_end", now.target)
        for before, after in zip(pair.params, params, strict=True)
        for size, now in ((before.fan_out, after.fan_out), (before.fan_in, after.fan_in))
        if size == pair.width
    ]
    return min(found, key=lambda each: each[0])[1]


def _blocks(pair: ModelPair, reading: Reading, path: str | None) -> float:
    """How many blocks a list holds; outside of any 1, or what the architecture counts."""
    architecture = pair.architecture
    if architecture is not None and architecture.depth is not None and path is None:
        return architecture.depth(reading.model)
    return reading.spec.depths[path] if path is not None else 1


def factors_at(order: Order, pair: ModelPair) -> dict[str, float]:
    """A power of the sizes as a number at the largest size of each axis, where it is one."""
    found = {WIDTH: order.evaluate(pair.width.ratio, 1), DEPTH: order.evaluate(1, pair.depth.ratio)}
    return {axis: factor for axis, factor in found.items() if factor != 1}
