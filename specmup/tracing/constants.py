"""Constants of a forward pass: by which numbers it multiplies, and where they stand.

A constant stands behind a map if it multiplies what the map gives before anything else than moves,
sums and constants is done with it; in front of a map if no map or sum of the stream stands before.
A constant in front of a normalisation changes nothing and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from specmup.tracing.branches import Branches
from specmup.tracing.dataflow import CONTRACTIONS, HOMOGENEOUS, MOVES, SUMS, Dataflow, moved
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import Way, times

Constants = dict[tuple[str, bool], set[float | None]]
DIGITS = 9  # of a single-precision number, with one to spare for rounding


@dataclass(frozen=True)
class Attention:
    """One product of queries and keys.

    Args:
        module: Where it is.
        scale: By which it is multiplied; None if not known.
        own: The same without the constants that stand behind a map of queries or keys.
        dimension: Of the vectors that are multiplied.
    """

    module: str
    scale: float | None
    own: float | None
    dimension: int


def constants(
    flow: Dataflow, branches: Branches
) -> Mapping[tuple[str, bool], frozenset[float | None]]:
    """Product of the constants in series with each parameter, over all its uses.

    Keys are names, with whether the parameter is read as an embedding.
    """
    behind: Constants = {}
    front: Constants = {}
    mapping = {name for found in flow.maps.values() for name in found.names}
    looked_up = {
        name
        for found in flow.maps.values()
        if found.op.kind in ("embedding", "_embedding_bag")
        for name in found.names
    }

    def note(found: Constants, names: tuple[str, ...], by: float | None, *, embeds: bool) -> None:
        for name in names:
            found.setdefault((name, embeds), set()).add(_rounded(by))

    def follow(way: Way, names_in_front: tuple[str, ...] = ()) -> None:
        for name, by in way.added:
            note(behind, (name,), by, embeds=False)
        if way.names and set(way.names[0]) & mapping:
            embeds = way.stop == "input" and len(way.names) == 1
            note(behind, way.names[0], way.scale, embeds=embeds and way.names[0][0] in looked_up)
        elif names_in_front:
            note(front, names_in_front, way.scale, embeds=False)
        elif way.names:
            note(behind, way.names[0], way.scale, embeds=False)

    for found in flow.maps.values():
        if found.op.kind in ("embedding", "_embedding_bag"):
            continue
        for way in branches.ways(found.data):
            follow(way, found.names)
    for value in _ends(flow, branches):
        for way in branches.ways(value):
            follow(way)
    for branch in branches.found:
        for way in branch.ways:
            follow(way.scaled(_inverse(branch.skip_scale) if branch.stream_norm else 1.0))
    keys = {*behind, *front}
    return {
        key: frozenset(
            _rounded(times(one, other))
            for one in behind.get(key, {1.0})
            for other in front.get(key, {1.0})
        )
        for key in keys
    }


def _ends(flow: Dataflow, branches: Branches) -> Iterator[Value]:
    """Outputs, starts of the stream, and what enters operations that no factor passes."""
    yield from flow.trace.outputs
    yield from branches.starts()
    passes = MOVES | SUMS | HOMOGENEOUS | {"mul", "div"} | set(CONTRACTIONS)
    for op in flow.trace.ops:
        # Of data with data, as queries with keys, a contraction is passed by no factor.
        of_data = op.kind in CONTRACTIONS and op.outputs[0] not in flow.maps
        ends = (of_data or op.kind not in passes) and not flow.measures(op)
        if ends and flow.norm(op) is None:
            yield from (value for value in op.inputs if flow.is_data(value))


def attentions(flow: Dataflow) -> Iterator[Attention]:
    """The products of data with data that a softmax takes."""
    for op in flow.trace.ops:
        if op.kind.startswith("_scaled_dot_product"):
            dimension = op.inputs[0].shape[-1]
            own = op.options.get("scale")
            told = dimension**-0.5 if own is None else float(own)
            yield _attention(flow, op.module, told, op.inputs[:2], dimension)
        elif op.kind.endswith("softmax") and (found := _product(flow, op)) is not None:
            yield found


def _product(flow: Dataflow, softmax: Op) -> Attention | None:
    value = softmax.inputs[0]
    scale: float | None = 1.0
    while (op := flow.trace.producer.get(value)) is not None and value not in flow.maps:
        if op.kind in CONTRACTIONS:
            places = CONTRACTIONS[op.kind]
            scale = times(scale, float(op.options.get("alpha", 1)))
            operands = [op.args[place] for place in places]
            return _attention(flow, softmax.module, scale, operands, operands[0].shape[-1])
        if (factor := flow.factor(op)) is not None:
            value, by = factor
            scale = times(scale, by)
        elif op.kind in MOVES:
            value = moved(op, flow)
        elif op.kind in SUMS | {"tanh"}:
            value = max(op.inputs, key=flow.is_data)
        else:
            return None
    return None


def _attention(
    flow: Dataflow, module: str, own: float | None, operands: Sequence[Value], dimension: int
) -> Attention:
    scale = own
    for operand in operands:
        by, root = _scale_of(flow, operand)
        scale = times(scale, by)
        own = own if root in flow.maps else times(own, by)
    return Attention(module, _rounded(scale), _rounded(own), dimension)


def _scale_of(flow: Dataflow, value: Value) -> tuple[float | None, Value]:
    """Product of the constants directly behind which an operand stands, and what they multiply."""
    scale: float | None = 1.0
    while (op := flow.trace.producer.get(value)) is not None and value not in flow.maps:
        if op.kind in MOVES:
            value = moved(op, flow)
        elif (factor := flow.factor(op)) is not None and factor[1] is not None:
            value, by = factor
            scale = times(scale, by)
        else:
            break
    return scale, value


def _inverse(number: float | None) -> float | None:
    return 1 / number if number else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.{DIGITS - 2}g}")
