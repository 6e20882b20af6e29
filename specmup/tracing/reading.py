"""What one trace says of each parameter, by name: all that a plan is held against."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from specmup.tracing.attention import Attention, attentions, summed
from specmup.tracing.bent import bent
from specmup.tracing.branches import Branches
from specmup.tracing.constants import constants
from specmup.tracing.dataflow import CONTRACTIONS, LOOKUPS, MOVES, NORMS, Dataflow, Map
from specmup.tracing.dimensions import Layout
from specmup.tracing.layouts import layouts, returned
from specmup.tracing.records import Trace, Value, reached
from specmup.tracing.ways import Branch, Way


@dataclass(frozen=True)
class Reading:
    """A forward pass, read.

    Args:
        unreached: Parameters that do not reach the output.
        repeats: How often a parameter is applied one after the other, of those applied repeatedly.
        returned: Parameters that map there and, behind that, back, as a table that reads out.
        layouts: What the dimensions of a matrix, or of a stack of them, are to its maps.
        parts: Sizes of what a parameter's map reads side by side, where that is several things.
        normalised: Parameters of maps whose output meets a normalisation before another map.
        gains: Vectors and tables that multiply what flows, and are not added to it.
        entrywise: Parameters that act entry by entry, as bare vectors do: no map sums over them.
        bent: Parameters of which a factor does not reach what they do, as their size is lost.
        offsets: The constant that is added to a vector before it acts, of gains kept as 1 + w.
        constants: Product of the constants in series with a parameter, by parameter and whether it
            is read as an embedding; several where its uses differ, None where it is not known.
        branches: The additions to the residual stream, in order.
        handed: Modules of which one branch hands on to later ones what they give.
        nested: The most residual additions that any branch holds inside.
        entries: Ways back from the first addition of each stream.
        exits: Ways back from the outputs.
        entering: Parameters on which a stream depends before anything is added to it.
        attentions: Scales of the attention logits.
        summed: Where else data is contracted with data, and over how many entries.
        made_up: Operations that parameters steer, whose answers were made up.
    """

    unreached: tuple[str, ...]
    repeats: Mapping[str, int]
    returned: frozenset[str]
    layouts: Mapping[str, Layout]
    parts: Mapping[str, tuple[int, ...]]
    normalised: frozenset[str]
    gains: frozenset[str]
    entrywise: frozenset[str]
    bent: frozenset[str]
    offsets: Mapping[str, float]
    constants: Mapping[tuple[str, bool], frozenset[float | None]]
    branches: tuple[Branch, ...]
    handed: frozenset[str]
    nested: int
    entries: tuple[Way, ...]
    exits: tuple[Way, ...]
    entering: tuple[str, ...]
    attentions: tuple[Attention, ...]
    summed: frozenset[tuple[str, int]]
    made_up: tuple[str, ...]

    @property
    def ends(self) -> tuple[Way, ...]:
        """Ways into the residual streams, of all branches."""
        return tuple(way for branch in self.branches for way in branch.ways)


def read(trace: Trace, handed: Collection[str] = ()) -> Reading:
    """Read a trace.

    Args:
        trace: Of a forward pass.
        handed: As :attr:`Reading.handed` of a deeper model tells.
    """
    flow = Dataflow(trace)
    branches = Branches(flow, handed)
    return Reading(
        unreached=tuple(n for value, n in trace.parameters.items() if value not in trace.live),
        repeats=_repeats(flow),
        returned=frozenset(returned(flow)),
        layouts=layouts(flow),
        parts=_parts(flow),
        normalised=frozenset(_normalised(flow)),
        gains=frozenset(_gains(flow)),
        entrywise=frozenset(_entrywise(flow)),
        bent=frozenset(bent(flow)),
        offsets=_offsets(flow),
        constants=constants(flow, branches),
        branches=branches.found,
        handed=frozenset(branches.handed),
        nested=branches.nested,
        entries=branches.entries(),
        exits=tuple(way for value in trace.outputs for way in branches.ways(value)),
        entering=tuple(_entering(flow, branches)),
        attentions=tuple(attentions(flow)),
        summed=frozenset(summed(flow)),
        made_up=trace.made_up,
    )


def _entering(flow: Dataflow, branches: Branches) -> Iterator[str]:
    """Parameters on which a stream depends where it begins, not by way of another's sums."""
    sums = {branch.op.outputs[0] for branch in branches.found}

    def before(value: Value) -> tuple[Value, ...]:
        op = flow.trace.producer.get(value)
        return () if op is None or value in sums else op.inputs

    found = set(reached(branches.starts(), before))
    yield from (name for own, name in flow.trace.parameters.items() if own in found)


def _repeats(flow: Dataflow) -> dict[str, int]:
    """Length of the longest chain of a weight's maps, each computed from the one before.

    A parameter from which every block makes a weight of its own is not repeated.
    """
    uses_of: dict[tuple[str, ...], list[Map]] = {}
    for used in flow.maps.values():
        uses_of.setdefault(used.names, []).append(used)
    longest: dict[str, int] = {}
    for names, uses in uses_of.items():
        lengths: dict[Map, int] = {}
        for use in uses if len(uses) > 1 else ():
            before = (n for m, n in lengths.items() if flow.depends(use.data, m.op.outputs[0]))
            lengths[use] = 1 + max(before, default=0)
        if (most := max(lengths.values(), default=1)) > 1:
            longest |= {name: max(most, longest.get(name, 1)) for name in names}
    return longest


def _parts(flow: Dataflow) -> dict[str, tuple[int, ...]]:
    """How many entries each of the things has that stand side by side in what a map reads."""
    found = {}
    for use in flow.maps.values():
        op = flow.trace.producer.get(flow.root(use.data))
        if op is None or op.kind != "cat" or len(use.names) != 1:
            continue
        sizes = tuple(value.shape[-1] for value in op.inputs if value.shape)
        if sum(sizes) == op.outputs[0].shape[-1] == use.data.shape[-1]:
            found[use.names[0]] = sizes
    return found


def _normalised(flow: Dataflow) -> Iterator[str]:
    """Parameters of maps that a normalisation follows, with no other map between."""
    readers = flow.trace.consumers

    def onward(value: Value) -> Iterator[Value]:
        passed = (op for op in readers.get(value, ()) if op.kind not in CONTRACTIONS)
        return (out for op in passed for out in op.outputs)

    for value, use in flow.maps.items():
        following = (op for v in reached([value], onward) for op in readers.get(v, ()))
        if any(flow.norm(op) is not None for op in following):
            yield from use.names


def _gains(flow: Dataflow) -> Iterator[str]:
    """What multiplies data as it is, or with a constant added; gains of norms included."""
    for op in flow.trace.ops:
        if op.kind in NORMS:
            # The gain stands before the bias; where the gain is left out, its place holds None.
            place = 2 if op.kind in ("native_layer_norm", "layer_norm", "_fused_rms_norm") else 1
            gains = [v for v in op.args[place : place + 1] if isinstance(v, Value)]
        elif op.kind == "mul" and any(map(flow.is_data, op.inputs)):
            gains = [value for value in op.inputs if flow.is_weight(value)]
        else:
            continue
        yield from (name for gain in gains if (name := _own(flow, gain)) is not None)


def _entrywise(flow: Dataflow) -> Iterator[str]:
    """Parameters of which every entry reaches the output, and that no map sums over."""
    in_maps = {n for use in flow.maps.values() if use.op.kind not in LOOKUPS for n in use.names}
    written_out = {
        name
        for op in flow.trace.ops
        if op.kind in ("mul", "div") and any(map(flow.is_data, op.inputs))
        for value in op.inputs
        if flow.is_weight(value) and (name := flow.trace.parameters.get(flow.root(value)))
        if _is_summed(flow, op.outputs[0])
    }
    for value, name in flow.trace.parameters.items():
        # A table that multiplies data may be a map that is written out: its products, summed.
        table = sum(size > 1 for size in value.shape) > 1
        if value in flow.trace.live and name not in in_maps and not (table and name in written_out):
            yield name


def _is_summed(flow: Dataflow, value: Value) -> bool:
    """Whether entries of a value are summed before they meet a map or a non-linearity."""
    readers, passing = flow.trace.consumers, MOVES | {"add", "sub", "neg", "mul", "div"}

    def onward(value: Value) -> Iterator[Value]:
        return (out for op in readers.get(value, ()) if op.kind in passing for out in op.outputs)

    following = (op for v in reached([value], onward) for op in readers.get(v, ()))
    return any(op.kind in ("sum", "mean", "cumsum") for op in following)


def _own(flow: Dataflow, value: Value) -> str | None:
    """The parameter that a value is, but for moves and for a constant that was added."""
    while (op := flow.trace.producer.get(value)) is not None:
        weights = [v for v in op.inputs if flow.is_weight(v)]
        if op.kind not in MOVES | {"add"} or len(weights) != 1:
            return None
        value = weights[0]
    return flow.trace.parameters.get(value)


def _offsets(flow: Dataflow) -> dict[str, float]:
    """The constant added to a vector wherever it is used, as in (1 + w)·x."""
    found = {}
    for own, name in flow.trace.parameters.items():
        if len(own.shape) != 1:
            continue
        seen = set(_added_to(flow, own))
        if len(seen) == 1 and (offset := seen.pop()) != 0 and offset is not None:
            found[name] = offset
    return found


def _added_to(flow: Dataflow, value: Value) -> Iterator[float | None]:
    """The constants that are added to a vector; None for each use without."""
    for op in flow.trace.consumers.get(value, ()):
        if op.outputs and op.outputs[0] not in flow.trace.live:
            continue
        others = [arg for arg in op.args if arg is not value]
        if op.kind in MOVES:
            yield from _added_to(flow, op.outputs[0])
        elif op.kind == "add" and len(others) == 1:
            number = getattr(others[0], "number", others[0])
            yield float(number) if isinstance(number, int | float) else None
        else:
            yield None
