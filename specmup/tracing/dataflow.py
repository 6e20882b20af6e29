"""What depends on what in a trace, and what each operation does to the size of its input.

Three kinds of values: data depends on the inputs; weights depend on parameters and on no input; all
else is constant. A map is an operation that contracts data with a weight; or a weight with one of
the module's own, as a table of positions with keys' map. Else a product of weights is a weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from specmup.tracing.trace import Op, Trace, Value

# Each entry of the output is one of the input, or fixed.
MOVES = {
    *("alias", "clone", "contiguous", "detach", "expand", "lift_fresh", "permute", "repeat"),
    *("_reshape_alias", "reshape", "select", "slice", "split", "split_with_sizes", "squeeze", "t"),
    *("_to_copy", "to", "transpose", "unbind", "unfold", "unsqueeze", "_unsafe_view", "view"),
    *("chunk", "flip", "roll", "gather", "index", "index_select", "masked_fill", "where", "copy"),
    *("constant_pad_nd", "native_dropout", "dropout", "_unsafe_index", "tril", "triu", "movedim"),
    *("_unsafe_masked_index", "diagonal", "pixel_shuffle", "pixel_unshuffle", "unsafe_split"),
    *("narrow", "view_as", "expand_as", "repeat_interleave", "as_strided", "swapaxes", "topk"),
}
# Sums of entries of the inputs.
SUMS = {
    *("add", "sub", "rsub", "sum", "mean", "neg", "cat", "stack", "cumsum", "written"),
    *("index_add", "index_put", "scatter", "scatter_add", "avg_pool2d", "_adaptive_avg_pool2d"),
    *("slice_scatter", "select_scatter", "upsample_nearest2d", "upsample_bilinear2d"),
}
# Not sums, but of degree one for positive factors.
HOMOGENEOUS = {"relu", "leaky_relu", "abs", "max_pool2d_with_indices", "max", "amax", "maximum"}
# The operands that are contracted.
CONTRACTIONS = {
    **{"mm": (0, 1), "bmm": (0, 1), "mv": (0, 1), "dot": (0, 1), "matmul": (0, 1)},
    **{"addmm": (1, 2), "baddbmm": (1, 2), "addmv": (1, 2), "addbmm": (1, 2), "linear": (0, 1)},
    **{"_grouped_mm": (0, 1), "convolution": (0, 1), "embedding": (1, 0), "_embedding_bag": (1, 0)},
}
# Those that read rows of what they contract, and sum over none.
LOOKUPS = ("embedding", "_embedding_bag")
NORMS = {
    *("native_layer_norm", "native_group_norm", "native_batch_norm", "_fused_rms_norm"),
    *("_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "rms_norm"),
    *("_batch_norm_no_update", "_batch_norm_with_update", "cudnn_batch_norm", "layer_norm"),
}


@dataclass(frozen=True, eq=False)
class Map:
    """A contraction of data with a weight.

    Args:
        op: The operation.
        data: What is contracted.
        weight: What it is contracted with.
        names: The parameters of which the weight is made.
        bias: Those that are added in the same operation.
    """

    op: Op
    data: Value
    weight: Value
    names: tuple[str, ...]
    bias: tuple[str, ...]


class Dataflow:
    """A trace's values by kind and by descent."""

    def __init__(self, trace: Trace) -> None:
        """Follow every operation once."""
        self.trace = trace
        # Ancestors of a value, itself included, as a bit for each value's index.
        self.ancestors: dict[Value, int] = {}
        for op in trace.ops:
            above = 0
            for value in op.inputs:
                above |= self.ancestors.setdefault(value, 1 << value.index)
            for value in op.outputs:
                self.ancestors[value] = above | 1 << value.index
        self._inputs = sum(1 << value.index for value in trace.inputs)
        self._parameters = sum(1 << value.index for value in trace.parameters)

    def above(self, value: Value) -> int:
        """Bits of the values on which one depends, and its own."""
        return self.ancestors.get(value, 1 << value.index)

    def depends(self, value: Value, on: Value) -> bool:
        """Whether one value depends on another, or is it."""
        return bool(self.above(value) >> on.index & 1)

    def is_data(self, value: Value) -> bool:
        """Whether a value depends on the inputs, and on a parameter or is an input itself."""
        return bool(self.above(value) & self._inputs)

    def is_weight(self, value: Value) -> bool:
        """Whether a value depends on parameters and on no input."""
        above = self.above(value)
        return bool(above & self._parameters) and not above & self._inputs

    def parameters(self, value: Value) -> tuple[str, ...]:
        """Names of the parameters on which a value depends."""
        above = self.above(value)
        return tuple(n for v, n in self.trace.parameters.items() if above >> v.index & 1)

    @cached_property
    def maps(self) -> dict[Value, Map]:
        """The maps, by their output."""
        return {op.outputs[0]: found for op in self.trace.ops if (found := self._map(op))}

    @cached_property
    def mapped(self) -> int:
        """Bits of the outputs of maps."""
        return sum(1 << value.index for value in self.maps)

    def map_between(self, start: Value, end: Value) -> bool:
        """Whether a map stands on a way from one value to another."""
        on_the_way = self.above(end) & self.mapped & ~self.above(start)
        return any(on_the_way >> made.index & 1 and self.depends(made, start) for made in self.maps)

    def root(self, value: Value) -> Value:
        """What a value is made of by moving entries alone."""
        while (op := self.trace.producer.get(value)) is not None and op.kind in MOVES:
            value = moved(op, self)
        return value

    def _map(self, op: Op) -> Map | None:
        places = CONTRACTIONS.get(op.kind)
        if places is None:
            return None
        one, other = (op.args[place] for place in places)
        if self.is_weight(one) and (not self.is_weight(other) or self._is_own(one, op)):
            one, other = other, one
        of_weights = self.is_weight(one) and (self._is_own(one, op) or not self._is_own(other, op))
        if not self.is_weight(other) or of_weights:
            return None
        bias = [v for v in op.inputs if v not in (one, other) and self.is_weight(v)]
        names = tuple(n for v in bias for n in self.parameters(v))
        return Map(op, one, other, self.parameters(other), names)

    def _is_own(self, value: Value, op: Op) -> bool:
        """Whether a weight is made of parameters of the very module in which it is used."""
        homes = {name.rpartition(".")[0] for name in self.parameters(value)}
        return homes == {op.module}

    def norm(self, op: Op) -> tuple[Value, tuple[str, ...]] | None:
        """What an operation normalises and the parameters that it applies; None if it is no norm.

        Either one of ATen's normalisations, or a product with a number for each vector that was
        computed from that vector without a map, as 1/√(mean x² + ε).
        """
        if op.kind in NORMS:
            own = tuple(n for v in op.inputs[1:] for n in self.parameters(v))
            return op.inputs[0], own
        if op.kind not in ("mul", "div") or len(op.inputs) != 2:
            return None
        for one, by in (op.inputs, op.inputs[::-1]):
            if not by.shape or not one.shape or by.shape[-1] != 1 or one.shape[-1] == 1:
                continue
            if any(self.depends(by, start) for start in self._centred(one)):
                return one, ()
        return None

    def measures(self, op: Op) -> bool:
        """Whether an operation helps to compute the size by which a normalisation divides."""
        return any(self._measuring >> value.index & 1 for value in op.outputs)

    @cached_property
    def _measuring(self) -> int:
        found = 0
        for op in self.trace.ops:
            norm = None if op.kind in NORMS else self.norm(op)
            if norm is not None:
                by = next(value for value in op.inputs if value is not norm[0])
                starts = [s for s in self._centred(norm[0]) if self.depends(by, s)]
                found |= self.above(by) & ~self.above(starts[-1])
        return found

    def _centred(self, value: Value) -> Iterator[Value]:
        """A value without moves, and without the subtraction of its mean."""
        root = self.root(value)
        yield root
        op = self.trace.producer.get(root)
        if op is not None and op.kind == "sub" and isinstance(op.args[0], Value):
            yield self.root(op.args[0])

    def factor(self, op: Op) -> tuple[Value, float | None] | None:
        """What an operation multiplies by a constant, and the constant; None if it does not.

        The constant is None where it is not known: it has no memory, or it is no single number.
        """
        if op.kind not in ("mul", "div") or not isinstance(op.args[0], Value):
            return None
        one, by = op.args[:2]
        if not isinstance(by, Value):
            if isinstance(by, complex):  # of whose size alone no rule speaks
                return one, None
            return one, 1 / by if op.kind == "div" else float(by)
        if op.kind == "mul" and self._is_constant(one):
            one, by = by, one
        if self._is_constant(one) or not self._is_constant(by):
            return None
        number = by.number
        if number is not None and op.kind == "div":
            number = 1 / number if number else None
        return one, number

    def beside_weight(self, op: Op) -> Value | None:
        """The data that an operation multiplies by a weight."""
        data = [value for value in op.inputs if not self.is_weight(value)]
        return data[0] if len(data) == 1 and len(op.inputs) == 2 else None

    def _is_constant(self, value: Value) -> bool:
        return not self.above(value) & (self._inputs | self._parameters)


def moved(op: Op, flow: Dataflow) -> Value:
    """The value whose entries an operation moves."""
    data = [value for value in op.inputs if flow.is_data(value) and value.number is None]
    if op.kind == "where":
        return next((v for v in op.inputs[1:] if v in data), op.inputs[0])
    return op.inputs[1] if op.kind == "copy" and len(op.inputs) > 1 else op.inputs[0]
