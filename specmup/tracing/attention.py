"""The scale of attention's logits, apart from what its maps of queries and keys multiply by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specmup.tracing.dataflow import CONTRACTIONS, MOVES, SUMS, Dataflow, moved
from specmup.tracing.trace import Op, Value
from specmup.tracing.ways import rounded, times

FUSED = "_scaled_dot_product"  # begins the names of attention in one operation


@dataclass(frozen=True)
class Attention:
    """One product of queries and keys.

    Args:
        module: Where it is.
        scale: By which it is multiplied, by the constants on queries and keys as well but for those
            of the maps' own modules; None if not known.
        dimension: Of the vectors that are multiplied.
    """

    module: str
    scale: float | None
    dimension: int


@dataclass(frozen=True)
class Product:
    """A product of queries and keys.

    Args:
        op: The operation.
        module: In which it is softened.
        scale: The constants behind it; None if not known.
        operands: Queries and keys.
    """

    op: Op
    module: str
    scale: float | None
    operands: Sequence[Value]


def attentions(flow: Dataflow) -> Iterator[Attention]:
    """The scales of these products."""
    for product in products(flow):
        scale = product.scale
        for operand in product.operands:
            scale = times(scale, behind_map(flow, product.module, operand)[2])
        yield Attention(product.module, rounded(scale), product.operands[0].shape[-1])


def summed(flow: Dataflow) -> Iterator[tuple[str, int]]:
    """Where else data is contracted with data, and over how many entries."""
    known = {product.op for product in products(flow)}
    for op in flow.trace.ops:
        if op.kind in ("mm", "bmm", "mv", "dot", "matmul", "baddbmm") and op not in known:
            operands = [op.args[place] for place in CONTRACTIONS[op.kind]]
            if op.outputs[0] in flow.trace.live and all(map(flow.is_data, operands)):
                yield op.module, operands[0].shape[-1]


def products(flow: Dataflow) -> Iterator[Product]:
    """The products of data with data that a softmax takes, fused with it or not."""
    for op in flow.trace.ops:
        if op.kind.startswith(FUSED):
            own = op.options.get("scale")
            told = op.inputs[0].shape[-1] ** -0.5 if own is None else float(own)
            yield Product(op, op.module, told, op.inputs[:2])
        elif op.kind.endswith("softmax") and (found := _product(flow, op)) is not None:
            yield found


def _product(flow: Dataflow, softmax: Op) -> Product | None:
    value = softmax.inputs[0]
    scale: float | None = 1.0
    while (op := flow.trace.producer.get(value)) is not None and value not in flow.maps:
        if op.kind in CONTRACTIONS:
            operands = [op.args[place] for place in CONTRACTIONS[op.kind]]
            return Product(op, softmax.module, scale, operands)
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


def behind_map(
    flow: Dataflow, module: str, value: Value
) -> tuple[Value, float | None, float | None]:
    """What queries or keys are made of, and the constants on the way: the map's, and attention's.

    A map's are those by which its own module multiplies, in which attention does not happen; all
    others are a scale of the logits, and no matter of either map.
    """
    root, found = _way(flow, value)
    home = flow.maps[root].op.module if root in flow.maps else None
    own: float | None = 1.0
    scale: float | None = 1.0
    for where, by in found:
        if home is not None and _within(home, where) and not _within(module, where):
            own = times(own, by)
        else:
            scale = times(scale, by)
    return root, own, scale


def _way(flow: Dataflow, value: Value) -> tuple[Value, tuple[tuple[str, float | None], ...]]:
    """What a value is made of by moves, constants and rotations; the constants, with modules."""
    found: list[tuple[str, float | None]] = []
    while (op := flow.trace.producer.get(value)) is not None and value not in flow.maps:
        if op.kind in MOVES:
            value = moved(op, flow)
        elif (factor := flow.factor(op)) is not None:
            value, by = factor
            if by is not None or not any(v.shape for v in op.inputs if not flow.is_data(v)):
                found.append((op.module, by))  # and no table of cosines
        elif op.kind in SUMS and flow.norm(op) is None:
            ways = {_way(flow, summand) for summand in op.inputs if flow.is_data(summand)}
            if len(ways) != 1:  # else a rotation: sums of one thing's own entries
                break
            ((value, behind),) = ways
            return value, (*found, *behind)
        else:
            break
    return value, tuple(found)


def _within(module: str, other: str) -> bool:
    """Whether a module is another or stands in it, by their paths."""
    return not other or f"{module}.".startswith(f"{other}.")
