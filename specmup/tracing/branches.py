"""The residual stream in a trace: what is added to it, and which parameters stand last before.

An addition is residual if one of its terms, the branch, is computed from the other, the stream,
through a map. No name is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specmup.tracing.dataflow import HOMOGENEOUS, LOOKUPS, MOVES, SUMS, Dataflow, Map, moved
from specmup.tracing.terms import terms
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import Branch, Way, times

MANY = 256  # ways back that are followed from one addition


class Branches:
    """The residual additions of a trace, in order, those inside a branch left out."""

    def __init__(self, flow: Dataflow) -> None:
        """Find them."""
        self.flow = flow
        self.nested = 0  # the most additions inside one branch
        self._sums: dict[Value, tuple[Value, Value]] = {}  # by output: skip and branch
        for op in flow.trace.ops:
            if (terms := self._terms(op)) is not None:
                self._sums[op.outputs[0]] = terms
        self._drop_nested()
        producer = flow.trace.producer
        self.found = tuple(self._branch(producer[out], *terms) for out, terms in self._sums.items())

    def ways(self, value: Value) -> tuple[Way, ...]:
        """The ways back from a value, at most :data:`MANY`."""
        return tuple(dict.fromkeys(self._back(value, {})))[:MANY]

    def starts(self) -> Iterator[Value]:
        """What a stream is before anything was added to it."""
        for skip, _ in self._sums.values():
            if not any(point in self._sums for point in self._normed_points(skip)):
                yield skip

    def entries(self) -> tuple[Way, ...]:
        """The ways back from where a stream begins."""
        return tuple(way for value in self.starts() for way in self.ways(value))

    def _terms(self, op: Op) -> tuple[Value, Value] | None:
        """Stream and branch of a residual addition."""
        flow = self.flow
        if op.kind != "add" or len(op.inputs) != 2 or op.outputs[0] not in flow.trace.live:
            return None
        one, other = op.inputs
        shape = op.outputs[0].shape
        if one.shape != shape or other.shape != shape:
            return None
        for skip, branch in ((one, other), (other, one)):
            if not self._may_stream(skip):
                continue
            for start in self._beginnings(skip):
                if start is not branch and flow.depends(branch, start):
                    if flow.map_between(start, branch):
                        return skip, branch
        return None

    def _may_stream(self, value: Value) -> bool:
        """Whether parameters made it, or it is an input: no mask or bias of attention logits."""
        *_, first = self._stream_points(value)
        return bool(self.flow.parameters(value)) or first in self.flow.trace.inputs

    def _stream_points(self, value: Value) -> Iterator[Value]:
        """A value and what it was before moves, factors and additions to the same stream."""
        flow = self.flow
        while True:
            yield value
            op = flow.trace.producer.get(value)
            if value in self._sums:
                value = self._sums[value][0]
            elif op is None:
                return
            elif op.kind in MOVES:
                value = moved(op, flow)
            elif (factor := flow.factor(op)) is not None:
                value = factor[0]
            elif op.kind in ("mul", "add") and (data := self._beside_weight(op)) is not None:
                value = data
            else:
                return

    def _beginnings(self, skip: Value) -> Iterator[Value]:
        """The points of a stream, and where it is joined of parts, these: a branch reads either."""
        points = list(self._stream_points(skip))
        yield from points
        op = self.flow.trace.producer.get(points[-1])
        if op is not None and op.kind == "cat":
            yield from filter(self.flow.is_data, op.inputs)

    def _beside_weight(self, op: Op) -> Value | None:
        """The data that an operation multiplies by a weight."""
        data = [value for value in op.inputs if not self.flow.is_weight(value)]
        return data[0] if len(data) == 1 and len(op.inputs) == 2 else None

    def _drop_nested(self) -> None:
        """An addition inside the branch of another is not on the stream."""
        flow = self.flow
        every = list(self._sums.items())
        roots = {value: list(self._stream_points(value))[-1] for value in self._sums}
        for outer, (skip, branch) in every:
            on_stream = flow.above(skip)
            inside = [
                inner
                for inner, _ in every
                if inner is not outer and not on_stream >> inner.index & 1
                if flow.depends(branch, inner) and flow.depends(inner, skip)
                # Else it is a stream beside this one, which began before.
                if roots[inner] is roots[outer] or flow.depends(roots[inner], skip)
            ]
            self.nested = max(self.nested, len(inside))
            for inner in inside:
                self._sums.pop(inner, None)

    def _normed_points(self, value: Value) -> Iterator[Value]:
        """As stream points, but through normalisations as well."""
        while True:
            points = list(self._stream_points(value))
            yield from points
            op = self.flow.trace.producer.get(points[-1])
            norm = None if op is None else self.flow.norm(op)
            if norm is None:
                return
            value = norm[0]

    def _branch(self, op: Op, skip: Value, value: Value) -> Branch:
        scale: float | None = 1.0
        gains: list[str] = []
        normed = False
        point = skip
        while point not in self._sums and (made := self.flow.trace.producer.get(point)):
            if made.kind in MOVES:
                point = moved(made, self.flow)
            elif (factor := self.flow.factor(made)) is not None:
                point, by = factor
                scale = times(scale, by)
            elif (norm := self.flow.norm(made)) is not None:
                point, own = norm
                gains.extend(own)
                normed = True
            elif made.kind in ("mul", "add") and (data := self._beside_weight(made)) is not None:
                gains.extend(
                    n for v in made.inputs if v is not data for n in self.flow.parameters(v)
                )
                point = data
            else:
                break
        if point not in self._sums:  # the first addition: what is before is the input
            scale, gains, normed = 1.0, [], False
        branch = Branch(op, skip, value, self.ways(value), scale, tuple(gains), normed)
        return replace(branch, inside=self._inside(branch))

    def _inside(self, branch: Branch) -> tuple[str, ...]:
        """Parameters that act between the stream and the addition."""
        flow = self.flow
        start = next(p for p in self._beginnings(branch.skip) if flow.depends(branch.value, p))
        names: dict[str, None] = {}
        for op in flow.trace.ops:
            out = op.outputs[0] if op.outputs else None
            if out is None or out is start:  # what makes the stream is none of its branches
                continue
            if not flow.depends(branch.value, out) or not flow.depends(out, start):
                continue
            for value in op.inputs:
                if flow.is_weight(value):
                    names |= dict.fromkeys(flow.parameters(value))
        return tuple(names)

    def _back(self, value: Value, seen: dict[Value, list[Way]]) -> list[Way]:
        if value not in seen:
            seen[value] = []  # nothing goes in circles, but a value is followed once
            seen[value] = list(dict.fromkeys(self._step(value, seen)))[:MANY]
        return seen[value]

    def _step(self, value: Value, seen: dict[Value, list[Way]]) -> list[Way]:
        flow = self.flow
        op = flow.trace.producer.get(value)
        if value in self._sums:
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
        if op.kind == "mul" and (data := self._beside_weight(op)) is not None:
            own = tuple(n for v in op.inputs if v is not data for n in flow.parameters(v))
            return [way.behind(own) for way in self._back(data, seen)]
        if op.kind in MOVES:
            return self._back(moved(op, flow), seen)
        if op.kind in SUMS or op.kind in HOMOGENEOUS:
            return self._summed(op, seen)
        if op.kind in ("mul", "div"):
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
        alpha = op.options.get("alpha", 1.0)
        ways = []
        for place, value in enumerate(op.inputs):
            if not flow.is_data(value):
                continue
            by = float(alpha) if place == 1 and op.kind in ("add", "sub") else 1.0
            for way in self._back(value, seen):
                ways.append(way.scaled(by).plus(added))
        return ways or [Way(stop="input")]

    def _gated(self, op: Op, seen: dict[Value, list[Way]]) -> list[Way]:
        """Data times data: of the two, that which a factor passes on its way to a map."""
        each = [self._back(value, seen) for value in op.inputs if self.flow.is_data(value)]
        with_maps = [ways for ways in each if any(way.names for way in ways)]
        if len(with_maps) == 1:
            return with_maps[0]
        return [Way(stop="product")]
