"""Parameters whose size is lost on the way to what they do.

A factor in a parameter is one in its map as long as the pass moves it, adds to it, or multiplies it
by something else. Divided by a size of its own, as weight and spectral normalisation do, it gives
the same whatever factor it holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from specmup.tracing.dataflow import CONTRACTIONS, MOVES, SUMS, Dataflow
from specmup.tracing.records import Op, Value, reached


def bent(flow: Dataflow) -> Iterator[str]:
    """Names of the parameters of which a factor does not reach what they do to data."""

    def making(value: Value) -> list[Op]:
        return [op for op in flow.trace.consumers.get(value, ()) if _makes_a_weight(op, flow)]

    def onward(value: Value) -> Iterator[Value]:
        return (out for op in making(value) for out in op.outputs)

    for own, name in flow.trace.parameters.items():
        steps = ((op, value) for value in reached([own], onward) for op in making(value))
        if not all(_passes(op, value, own, flow) for op, value in steps):
            yield name


def _makes_a_weight(op: Op, flow: Dataflow) -> bool:
    """Whether an operation reads no data, and something comes of it."""
    live = any(out in flow.trace.live for out in op.outputs)
    return live and not any(map(flow.is_data, op.inputs))


def _passes(op: Op, value: Value, own: Value, flow: Dataflow) -> bool:
    """Whether a factor in one of the inputs of an operation is one in what it gives."""
    if op.kind in MOVES | SUMS:
        return True
    if op.kind.startswith("_weight_norm"):  # a direction, whose size is lost, and a length
        return op.args[1] is value
    others = [v for v in op.inputs if v is not value]
    apart = len(others) == len(op.inputs) - 1 and not any(flow.depends(v, own) for v in others)
    if op.kind == "div":
        return apart and op.args[0] is value
    return apart and (op.kind == "mul" or op.kind in CONTRACTIONS)
