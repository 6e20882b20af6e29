"""The residual stream in a trace: what is added to it, and which parameters stand last before.

An addition is residual if one of its terms, the branch, is computed from the other, the stream,
through a map. No name is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import permutations

from specmup.tracing.backwards import Backwards
from specmup.tracing.dataflow import MOVES, Dataflow, Map, moved
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import Branch, Way, times


class Branches:
    """The residual additions of a trace, in order, those inside a branch left out."""

    def __init__(self, flow: Dataflow, handed: Collection[str] = ()) -> None:
        """Find them.

        Args:
            flow: Of the trace.
            handed: Modules of which it is known that they begin no stream, as what they give is
                handed from their branch to later ones.
        """
        self.flow = flow
        self.handed: set[str] = set()  # such modules, as seen
        self.nested = 0  # the most additions inside one branch
        self._sums: dict[Value, tuple[Value, Value]] = {}  # by output: skip and branch
        for op in flow.trace.ops:
            if (terms := self._terms(op)) is not None:
                self._sums[op.outputs[0]] = terms
        self._drop_handed_on(handed)
        self._drop_nested()
        self._backwards = Backwards(flow, self._sums)
        producer = flow.trace.producer
        self.found = tuple(self._branch(producer[out], *terms) for out, terms in self._sums.items())

    def ways(self, value: Value) -> tuple[Way, ...]:
        """The ways back from a value, to the streams at most."""
        return self._backwards.ways(value)

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
        sums = op.kind in ("add", "sub") and len(op.inputs) == 2
        if not sums or op.outputs[0] not in flow.trace.live:
            return None
        one, other = op.inputs
        shape = op.outputs[0].shape
        if one.shape != shape or other.shape != shape:
            return None
        for skip, branch in ((one, other), (other, one)):
            if not self._may_stream(skip):
                continue
            # Of differences x - f(x) alone is meant so; what is left of an input is an error.
            if op.kind == "sub" and (skip is other or not flow.parameters(skip)):
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
            elif op.kind in ("mul", "add") and (data := self.flow.beside_weight(op)) is not None:
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

    def _drop_handed_on(self, handed: Collection[str]) -> None:
        """What one branch hands to later ones, as the first block's values, begins no stream.

        Each of those that take it adds to the same thing, and none to another's sum. Where but one
        takes it, it may as well begin a stream: a deeper model tells.
        """
        takers: dict[Value, list[Value]] = {}
        continued: set[Value] = set()
        for out, (skip, _) in self._sums.items():
            points = list(self._stream_points(skip))
            continued.update(points)
            if not any(point in self._sums for point in points):
                takers.setdefault(points[-1], []).append(out)
        for root, several in takers.items():
            made = self.flow.trace.producer.get(root)
            if made is None or not continued.isdisjoint(several):
                continue
            known = len(several) > 1 or made.module in handed
            if known and all(self._passes_over(root, out) for out in several):
                self.handed.add(made.module)
                for out in several:
                    del self._sums[out]

    def _passes_over(self, root: Value, out: Value) -> bool:
        """Whether an addition takes something out of a branch that was added before it."""
        flow, branch = self.flow, self._sums[out][1]
        return any(
            flow.depends(branch, over)
            and flow.depends(passed, root)
            and flow.map_between(skip, root)
            for over, (skip, passed) in self._sums.items()
            if over is not out
        )

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
        flow = self.flow
        scale: float | None = 1.0
        gains: list[str] = []
        normed = False
        point = skip
        while point not in self._sums and (made := flow.trace.producer.get(point)):
            if made.kind in MOVES:
                point = moved(made, flow)
            elif (factor := flow.factor(made)) is not None:
                point, by = factor
                scale = times(scale, by)
            elif (norm := flow.norm(made)) is not None:
                point, own = norm
                gains.extend(own)
                normed = True
            elif made.kind in ("mul", "add") and (data := flow.beside_weight(made)) is not None:
                gains.extend(n for v in made.inputs if v is not data for n in flow.parameters(v))
                point = data
            else:
                break
        if point not in self._sums:  # the first addition: what is before is the input
            scale, gains, normed = 1.0, [], False
        ways = self.ways(value)
        if any(way.stop == "stream" and not way.names for way in ways):
            scale = None  # the stream is added to itself, as in x + c·(f(x) - x)
        branch = Branch(op, skip, value, ways, scale, tuple(gains), normed)
        inside = self._inside(branch)
        maps = [self.flow.maps[value] for value in inside if value in self.flow.maps]
        return replace(
            branch,
            inside=tuple(dict.fromkeys(name for names in inside.values() for name in names)),
            again=tuple(dict.fromkeys(self._applied_again(maps))),
        )

    def _applied_again(self, maps: list[Map]) -> Iterator[str]:
        users: dict[str, list[Map]] = {}
        for use in maps:
            for name in use.names:
                users.setdefault(name, []).append(use)
        for name, several in users.items():
            pairs = permutations(several, 2)
            if any(self.flow.depends(later.data, first.op.outputs[0]) for first, later in pairs):
                yield name

    def _inside(self, branch: Branch) -> dict[Value, tuple[str, ...]]:
        """What arises between the stream and the addition, with the parameters that act there."""
        flow = self.flow
        start = next(p for p in self._beginnings(branch.skip) if flow.depends(branch.value, p))
        found: dict[Value, tuple[str, ...]] = {}
        for op in flow.trace.ops:
            out = op.outputs[0] if op.outputs else None
            if out is None or out is start:  # what makes the stream is none of its branches
                continue
            if not flow.depends(branch.value, out) or not flow.depends(out, start):
                continue
            weights = (value for value in op.inputs if flow.is_weight(value))
            found[out] = tuple(name for value in weights for name in flow.parameters(value))
        return found
