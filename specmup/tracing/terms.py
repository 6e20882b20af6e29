"""What the weight of a map is made of: a sum of products of parameters, such as W + B·A.

A factor that is folded into the weight must then stand in each summand, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from specmup.tracing.dataflow import CONTRACTIONS, LOOKUPS, Dataflow, Map
from specmup.tracing.records import Op, Value
from specmup.tracing.ways import times

ROWS, COLUMNS = -2, -1  # the dimension of a weight that is summed over, or written
UNCHANGED = ("alias", "clone", "contiguous", "detach", "to", "_to_copy")


@dataclass(frozen=True)
class Factor:
    """One factor of a product of weights.

    Args:
        names: The parameters that it is made of: several if how is not understood.
        value: The factor itself.
        outputs: Which of its last two dimensions stands on the side of the map's outputs.
    """

    names: tuple[str, ...]
    value: Value
    outputs: int


@dataclass(frozen=True)
class Term:
    """One summand.

    Args:
        factors: Those of the product, that at the map's outputs first.
        scale: The constant that multiplies it; None if not known.
    """

    factors: tuple[Factor, ...]
    scale: float | None = 1.0


def terms(flow: Dataflow, use: Map) -> tuple[Term, ...]:
    """The summands of a map's weight."""
    op = use.op
    # Of a right operand the last dimension is written, of a left one the last but one.
    right = op.kind not in LOOKUPS and op.inputs.index(use.weight) > op.inputs.index(use.data)
    return tuple(_terms(flow, use.weight, COLUMNS if right else ROWS))


def _terms(flow: Dataflow, value: Value, outputs: int) -> Iterator[Term]:
    op, names = flow.trace.producer.get(value), flow.parameters(value)
    if op is None or len(names) == 1:
        yield Term((Factor(names, value, outputs),))
    elif op.kind in UNCHANGED:
        yield from _terms(flow, op.inputs[0], outputs)
    elif _swaps_the_last_two(op):
        yield from _terms(flow, op.inputs[0], ROWS + COLUMNS - outputs)
    elif op.kind in ("add", "sub") and all(one.shape == value.shape for one in op.inputs):
        for one in filter(flow.is_weight, op.inputs):
            yield from _terms(flow, one, outputs)
    elif (factor := flow.factor(op)) is not None:
        yield from _scaled(_terms(flow, factor[0], outputs), factor[1])
    elif op.kind in CONTRACTIONS and op.kind not in LOOKUPS and _of_matrices(op):
        yield from _contracted(flow, op, outputs)
    else:
        yield Term((Factor(names, value, outputs),))


def _contracted(flow: Dataflow, op: Op, outputs: int) -> Iterator[Term]:
    """The terms of a product of two weights."""
    left, right = (op.args[place] for place in CONTRACTIONS[op.kind])
    outer, inner = (left, right) if outputs == ROWS else (right, left)
    for one in _terms(flow, outer, outputs):
        for other in _terms(flow, inner, outputs):
            yield Term((*one.factors, *other.factors), times(one.scale, other.scale))


def _scaled(found: Iterator[Term], by: float | None) -> Iterator[Term]:
    return (Term(term.factors, times(term.scale, by)) for term in found)


def _swaps_the_last_two(op: Op) -> bool:
    before = list(range(len(op.inputs[0].shape)))
    after = [*before[:-2], *before[:-3:-1]]
    if op.kind == "permute":
        return [d % len(before) for d in op.args[1]] == after
    if op.kind in ("transpose", "swapaxes"):
        return {d % len(before) for d in op.args[1:3]} == {*before[-2:]}
    return op.kind == "t"


def _of_matrices(op: Op) -> bool:
    """Whether all that is contracted or added has a dimension of inputs and one of outputs."""
    return all(len(value.shape) >= 2 for value in op.inputs) and op.kind != "convolution"
