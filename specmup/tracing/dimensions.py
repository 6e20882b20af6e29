"""Which dimensions of a parameter the dimensions of something made of it are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specmup.tracing.dataflow import Dataflow
from specmup.tracing.trace import Op, Value

# For each dimension, those of the parameter that it holds.
Labels = tuple[frozenset[int], ...]
NONE: frozenset[int] = frozenset()
SAME = {
    *(
        "alias",
        "clone",
        "contiguous",
        "detach",
        "expand",
        "_to_copy",
        "to",
        "slice",
        "index_select",
    ),
    *("mul", "div", "add", "sub", "neg", "split", "split_with_sizes", "chunk"),
}


@dataclass(frozen=True)
class Layout:
    """What the dimensions of a tensor are to the map that it makes.

    All others count maps that are stacked, such as those of experts.

    Args:
        outputs: Those that the map writes: several if a tensor keeps heads apart.
        inputs: Those over which it sums.
        sizes: Of all dimensions.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    sizes: tuple[int, ...]

    def beside(self, other: Layout) -> Layout | None:
        """The layout that both show, at different sizes; None if they differ.

        What a dimension of size 1 is cannot be seen: it is what the other shows.
        """
        pairs = enumerate(zip(self.sizes, other.sizes, strict=True))
        lone = {d for d, sizes in pairs if 1 in sizes}
        both = [(self.outputs, other.outputs), (self.inputs, other.inputs)]
        if any({*one} - lone != {*another} - lone for one, another in both):
            return None
        outputs, inputs = (tuple(sorted({*one, *another})) for one, another in both)
        return None if {*outputs} & {*inputs} else Layout(outputs, inputs, self.sizes)


def dimensions_of(flow: Dataflow, value: Value, own: Value) -> Labels:
    """For each dimension of a value, the dimensions of the parameter that it is made of.

    Empty where the way from the parameter is not understood.
    """
    if value is own:
        return tuple(frozenset({d}) for d in range(len(own.shape)))
    op = flow.trace.producer.get(value)
    unknown = (NONE,) * len(value.shape)
    source = next((v for v in op.inputs if flow.depends(v, own)), None) if op else None
    if op is None or source is None:
        return unknown
    labels = _through(op, dimensions_of(flow, source, own), source, value)
    return unknown if labels is None or len(labels) != len(value.shape) else labels


def _through(op: Op, labels: Labels, before: Value, after: Value) -> Labels | None:
    if op.kind in SAME:
        return (NONE,) * (len(after.shape) - len(labels)) + labels
    if op.kind in ("t", "transpose", "swapaxes", "movedim"):
        one, other = op.args[1:3] if op.kind != "t" else (0, -1)
        order = list(labels)
        order[one], order[other] = order[other], order[one]
        return tuple(order)
    if op.kind == "permute":
        return tuple(labels[d] for d in op.args[1])
    if op.kind in ("select", "unbind"):
        place = (op.args[1:2] or (0,))[0] % len(labels)
        return labels[:place] + labels[place + 1 :]
    if op.kind == "unsqueeze":
        place = op.args[1] % len(after.shape)
        return (*labels[:place], NONE, *labels[place:])
    if op.kind == "index" and len(before.shape) > len(after.shape):
        return labels[len(before.shape) - len(after.shape) :]
    if op.kind == "index":
        return labels
    if op.kind in ("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze"):
        return tuple(_regrouped(labels, before.shape, after.shape))
    return None


def _regrouped(
    labels: Labels, before: Sequence[int], after: Sequence[int]
) -> Iterator[frozenset[int]]:
    """Labels after a view: dimensions that were merged or split share theirs."""
    start = 0
    size_before = size_after = 1
    group: list[int] = []
    taken: frozenset[int] = NONE
    for size in after:
        group.append(size)
        size_after *= size
        while start < len(before) and size_before < size_after:
            size_before *= before[start]
            taken |= labels[start] if before[start] > 1 else NONE
            start += 1
        if size_before == size_after:
            yield from (taken if one > 1 else NONE for one in group)
            group, taken = [], NONE
    yield from (NONE for _ in group)
