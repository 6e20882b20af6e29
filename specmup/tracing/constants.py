"""Constants of a forward pass: by which numbers it multiplies, and where they stand.

A constant stands behind a map if it multiplies what the map gives before anything else than moves,
sums and constants is done with it; in front of a map if no map or sum of the stream stands before.
A constant in front of a normalisation changes nothing and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from specmup.tracing.attention import FUSED, behind_map, products
from specmup.tracing.branches import Branches
from specmup.tracing.dataflow import CONTRACTIONS, HOMOGENEOUS, MOVES, SUMS, Dataflow
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import Way, rounded, times

Uses = dict[tuple[str, bool], set[float | None]]
LOOKED_UP = ("embedding", "_embedding_bag")


def constants(
    flow: Dataflow, branches: Branches
) -> Mapping[tuple[str, bool], frozenset[float | None]]:
    """Product of the constants in series with each parameter, over all its uses.

    Keys are names, with whether the parameter is read as an embedding.
    """
    found = _Constants(flow)
    for one in flow.maps.values():
        if one.op.kind not in LOOKED_UP:
            for way in branches.ways(one.data):
                found.follow(way, one.names)
    of_attention = tuple(products(flow))
    for value in _ends(flow, branches, [product.op for product in of_attention]):
        for way in branches.ways(value):
            found.follow(way)
    for branch in branches.found:
        for way in branch.ways:
            found.follow(way.scaled(_inverse(branch.skip_scale) if branch.stream_norm else 1.0))
    for product in of_attention:
        for root, own, _ in (behind_map(flow, product.module, one) for one in product.operands):
            if root in flow.maps:
                found.stands_behind(flow.maps[root].names, own)
    return found.in_series()


class _Constants:
    """Constants behind and in front of parameters, by name and whether it is read as an embedding.

    Args:
        flow: Tells which parameters are maps, and which of these are looked up.
    """

    def __init__(self, flow: Dataflow) -> None:
        self._behind: Uses = {}
        self._front: Uses = {}
        self._maps = {name for one in flow.maps.values() for name in one.names}
        self._looked_up = {
            n for one in flow.maps.values() if one.op.kind in LOOKED_UP for n in one.names
        }

    def follow(self, way: Way, names_in_front: tuple[str, ...] = ()) -> None:
        """Note what stands on a way; it ends in a map of these names, or in none."""
        for name, by in way.added:
            self.stands_behind((name,), by)
        last = way.names[0] if way.names else ()
        if set(last) & self._maps:
            embeds = way.stop == "input" and len(way.names) == 1 and last[0] in self._looked_up
            self.stands_behind(last, way.scale, embeds=embeds)
        elif names_in_front:
            _note(self._front, names_in_front, way.scale)
        else:
            self.stands_behind(last, way.scale)

    def stands_behind(
        self, names: tuple[str, ...], by: float | None, *, embeds: bool = False
    ) -> None:
        """Note a constant that multiplies what a parameter gives."""
        _note(self._behind, names, by, embeds=embeds)

    def in_series(self) -> dict[tuple[str, bool], frozenset[float | None]]:
        """Each constant in front of a parameter times each behind it."""
        return {
            key: frozenset(
                rounded(times(one, other))
                for one in self._behind.get(key, {1.0})
                for other in self._front.get(key, {1.0})
            )
            for key in {**self._behind, **self._front}
        }


def _note(uses: Uses, names: tuple[str, ...], by: float | None, *, embeds: bool = False) -> None:
    for name in names:
        uses.setdefault((name, embeds), set()).add(rounded(by))


def _ends(flow: Dataflow, branches: Branches, of_attention: Sequence[Op]) -> Iterator[Value]:
    """Outputs, starts of the stream, and what enters operations that no factor passes."""
    yield from flow.trace.outputs
    yield from branches.starts()
    passes = MOVES | SUMS | HOMOGENEOUS | {"mul", "div"} | set(CONTRACTIONS)
    # Queries and keys are looked at by themselves. Values are multiplied by what the softmax gives.
    for op in flow.trace.ops:
        if op in of_attention:
            yield from (v for v in op.inputs[2:] if op.kind.startswith(FUSED) and flow.is_data(v))
            continue
        # Of data with data, as queries with keys, a contraction is passed by no factor.
        of_data = op.kind in CONTRACTIONS and op.outputs[0] not in flow.maps
        ends = (of_data or op.kind not in passes) and not flow.measures(op)
        if ends and flow.norm(op) is None:
            yield from (value for value in op.inputs if flow.is_data(value))


def _inverse(number: float | None) -> float | None:
    return 1 / number if number else None
