"""Constants of a forward pass: by which numbers it multiplies, and where they stand.

A constant stands behind a map if it multiplies what the map gives before anything else than moves,
sums and constants is done with it; in front of a map if no map or sum of the stream stands before.
A constant in front of a normalisation changes nothing and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specmup.tracing.attention import FUSED, behind_map, products
from specmup.tracing.branches import Branches
from specmup.tracing.dataflow import CONTRACTIONS, HOMOGENEOUS, MOVES, SUMS, Dataflow
from specmup.tracing.trace import Value
from specmup.tracing.ways import Way, rounded, times

Constants = dict[tuple[str, bool], set[float | None]]


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
            found.setdefault((name, embeds), set()).add(rounded(by))

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
    for product in products(flow):
        for root, own, _ in (behind_map(flow, product.module, one) for one in product.operands):
            if root in flow.maps:
                note(behind, flow.maps[root].names, own, embeds=False)
    keys = {*behind, *front}
    return {
        key: frozenset(
            rounded(times(one, other))
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
    # Queries and keys are looked at by themselves. Values are multiplied by what the softmax gives.
    made = [product.op for product in products(flow)]
    for op in flow.trace.ops:
        if op in made:
            yield from (v for v in op.inputs[2:] if op.kind.startswith(FUSED) and flow.is_data(v))
            continue
        # Of data with data, as queries with keys, a contraction is passed by no factor.
        of_data = op.kind in CONTRACTIONS and op.outputs[0] not in flow.maps
        ends = (of_data or op.kind not in passes) and not flow.measures(op)
        if ends and flow.norm(op) is None:
            yield from (value for value in op.inputs if flow.is_data(value))


def _inverse(number: float | None) -> float | None:
    return 1 / number if number else None
