"""Ways back from a value: over what a factor passes, to the maps and gains that may hold it."""

from __future__ import annotations

from collections.abc import Container

from specmup.tracing.attention import products
from specmup.tracing.dataflow import (
    CONTRACTIONS,
    HOMOGENEOUS,
    LOOKUPS,
    MOVES,
    SUMS,
    Dataflow,
    Map,
    moved,
)
from specmup.tracing.terms import terms
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import Way

MANY = 256  # ways that are followed from one value


class Backwards:
    """The ways back from the values of a trace."""

    def __init__(self, flow: Dataflow, sums: Container[Value]) -> None:
        """Take what is to be followed.

        Args:
            flow: Of the trace.
            sums: The additions to streams, at which each way stops.
        """
        self.flow, self.sums = flow, sums
        self._logits = {product.op for product in products(flow)}

    def ways(self, value: Value) -> tuple[Way, ...]:
        """The ways back from a value, at most :data:`MANY`."""
        return tuple(dict.fromkeys(self._back(value, {})))[:MANY]

    def _back(self, value: Value, seen: dict[Value, list[Way]]) -> list[Way]:
        if value not in seen:
            seen[value] = []  # nothing goes in circles, but a value is followed once
            seen[value] = list(dict.fromkeys(self._step(value, seen)))[:MANY]
        return seen[value]

    def _step(self, value: Value, seen: dict[Value, list[Way]]) -> list[Way]:
        flow = self.flow
        op = flow.trace.producer.get(value)
        if value in self.sums:
            return [Way(stop="stream")]
        if flow.is_weight(value):
            return [Way((flow.parameters(value),), stop="weight")]
        if op is None or not flow.is_data(value):
            return [Way(stop="input")]
        if (found := flow.maps.get(value)) is not None:
            if op.kind in LOOKUPS:
                return [Way((found.names,))]
            return self._through_map(found, self._back(found.data, seen))
        if (norm := flow.norm(op)) is not None:
            own = norm[1]
            return [Way(stop="norm").behind(own)] if own else [Way(stop="norm")]
        if (factor := flow.factor(op)) is not None:
            return [way.scaled(factor[1]) for way in self._back(factor[0], seen)]
        if op.kind == "mul" and (data := flow.beside_weight(op)) is not None:
            own = tuple(n for v in op.inputs if v is not data for n in flow.parameters(v))
            return [way.behind(own) for way in self._back(data, seen)]
        if op.kind in MOVES:
            return self._back(moved(op, flow), seen)
        if op.kind in SUMS or op.kind in HOMOGENEOUS:
            return self._summed(op, seen)
        if op.kind in ("mul", "div") or (op.kind in CONTRACTIONS and op not in self._logits):
            return self._gated(op, seen)
        return [Way(stop=op.kind)]

    def _through_map(self, found: Map, ways: list[Way]) -> list[Way]:
        """Each way once for each summand of the map's weight."""
        through = []
        for term in terms(self.flow, found):
            for way in ways:
                for factor in reversed(term.factors):
                    way = way.behind(factor.names)
                through.append(way.scaled(term.scale).plus(found.bias))
        return through

    def _summed(self, op: Op, seen: dict[Value, list[Way]]) -> list[Way]:
        flow = self.flow
        added = tuple(n for v in op.inputs if flow.is_weight(v) for n in flow.parameters(v))
        summands = filter(flow.is_data, op.inputs)
        ways = [way.plus(added) for value in summands for way in self._back(value, seen)]
        return ways or [Way(stop="input")]

    def _gated(self, op: Op, seen: dict[Value, list[Way]]) -> list[Way]:
        """Data times data: of the two, that which a factor passes on its way to a map.

        Where it passes to a map on either side, a factor in one of the two is one in the product.
        """
        each = [self._back(value, seen) for value in op.inputs if self.flow.is_data(value)]
        with_maps = [ways for ways in each if any(way.names for way in ways)]
        holding = [ways for ways in with_maps if not self._gates_itself(op, ways)]
        if len(holding) == 1 and (op.kind != "div" or holding[0] is each[0]):
            return holding[0]
        if len(holding) == 2 and op.kind == "mul":
            return [one.beside(other) for one in holding[0] for other in holding[1]]
        return [Way(stop="product")]

    def _gates_itself(self, op: Op, ways: list[Way]) -> bool:
        """Whether what ends a way reaches the other side as well, by way of the same map."""
        ends = {name for way in ways for names in way.names[:1] for name in names}
        made = [value for value, use in self.flow.maps.items() if ends.intersection(use.names)]
        sides = [value for value in op.inputs if self.flow.is_data(value)]
        return any(all(self.flow.depends(side, one) for side in sides) for one in made)
