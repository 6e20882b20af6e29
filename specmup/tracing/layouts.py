"""How parameters are read by the maps that they make: what they write and what they sum."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from specmup.tracing.dataflow import LOOKUPS, Dataflow, Map
from specmup.tracing.dimensions import Layout, dimensions_of
from specmup.tracing.terms import COLUMNS, ROWS, terms


def layouts(flow: Dataflow) -> dict[str, Layout]:
    """The layout of each parameter of which all maps agree."""
    found: dict[str, set[Layout]] = {}
    by_name = {name: value for value, name in flow.trace.parameters.items()}
    factors = (
        factor
        for use in flow.maps.values()
        if use.op.kind not in (*LOOKUPS, "convolution")
        for term in terms(flow, use)
        for factor in term.factors
        if len(factor.names) == 1
    )
    for factor in factors:
        own, made = by_name[factor.names[0]], factor.value
        if len(own.shape) < 2 or len(made.shape) < 2:
            continue
        labels = dimensions_of(flow, made, own)
        outputs, inputs = labels[factor.outputs], labels[ROWS + COLUMNS - factor.outputs]
        if inputs and not inputs & outputs:
            layout = Layout(tuple(sorted(outputs)), tuple(sorted(inputs)), own.shape)
            found.setdefault(factor.names[0], set()).add(layout)
    return {name: seen.pop() for name, seen in found.items() if len(seen) == 1}


def returned(flow: Dataflow) -> Iterator[str]:
    """Parameters of which a map sums over what another map of theirs, before it, writes."""
    uses: dict[str, list[tuple[Map, frozenset[int], frozenset[int]]]] = {}
    by_name = {name: value for value, name in flow.trace.parameters.items()}
    for use in flow.maps.values():
        if use.op.kind == "convolution":
            continue
        looked_up = use.op.kind in LOOKUPS
        for factor in (factor for term in terms(flow, use) for factor in term.factors):
            if len(factor.names) > 1 or len(factor.value.shape) < 2:
                continue
            labels = dimensions_of(flow, factor.value, by_name[factor.names[0]])
            side = COLUMNS if looked_up else factor.outputs
            summed = frozenset() if looked_up else labels[ROWS + COLUMNS - side]
            uses.setdefault(factor.names[0], []).append((use, labels[side], summed))
    for name, several in uses.items():
        if any(
            writes & summed and flow.depends(later.data, use.op.outputs[0])
            for (use, writes, _), (later, _, summed) in permutations(several, 2)
        ):
            yield name
