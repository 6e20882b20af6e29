"""Low-rank adapters: W + B·A in place of W, with A (r, n_in) and B (n_out, r).

A branch that ends so computes α·(W + B·A)h. The factor α that is folded out of the forward pass
belongs into W, and into the product once: into B, which stands behind A. Both are hidden maps, of
which one fan stays, and the rule for hidden maps holds for them with their own fans. (Under AdamW η
is then constant in n for B and 1/n for A, as LoRA+, arXiv:2402.12354, finds.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from specmup.inspection.specs import ModelSpec, ParamSpec


@dataclass(frozen=True)
class Adapter:
    """A map and the two matrices whose product is added to it.

    Args:
        weight: W.
        first: A.
        last: B.
        surely: Whether that is more than a likeness of shapes: A and B stand in the very module of
            W, or are called after LoRA.
    """

    weight: ParamSpec
    first: ParamSpec
    last: ParamSpec
    surely: bool

    def place(self, spec: ParamSpec, of_weight: str, *, first_holds: bool) -> str | None:
        """The place of A or B, from that of W; None if it is not sure.

        Args:
            spec: A or B.
            of_weight: The place of W.
            first_holds: Whether A was declared to hold the product's share of the factor.
        """
        if of_weight == "branch" or spec is self.first or first_holds:
            return "branch"
        return of_weight if of_weight == "branch_end" and self.surely else None


def adapter_of(
    spec: ParamSpec, target: ModelSpec, place_of: Callable[[ParamSpec], str | None]
) -> tuple[Adapter, str] | None:
    """The adapter to which a matrix in a block belongs, told by shapes, and the place of its W.

    Args:
        spec: A or B.
        target: The model.
        place_of: Gives the place of W, None where it has none.
    """
    if spec.is_vector or spec.blocks is None:
        return None
    for module in _modules_around(spec.pattern):
        inside = [p for n, p in target.params.items() if n.startswith(f"{module}.")]
        matrices = [p for p in inside if not p.is_vector]
        if len(matrices) > 3:
            return None
        for weight in matrices if len(matrices) == 3 else []:
            first, last = _pair(weight, [p for p in matrices if p is not weight])
            if first is None or last is None or spec is weight:
                continue
            if (place := place_of(weight)) is not None:
                own = weight.pattern == f"{module}.weight"
                named = all("lora" in p.pattern.lower() for p in (first, last))
                return Adapter(weight, first, last, own or named), place
    return None


def _pair(weight: ParamSpec, rest: list[ParamSpec]) -> tuple[ParamSpec | None, ParamSpec | None]:
    """A and B among two matrices, if they lead from W's inputs to its outputs by way of fewer."""
    n_out, n_in = weight.fans()
    for first, last in (rest, rest[::-1]):
        (rank, into), (out, by_way_of) = first.fans(), last.fans()
        if (into, out) == (n_in, n_out) and rank == by_way_of < min(n_in, n_out):
            return first, last
    return None, None


def _modules_around(name: str) -> Iterator[str]:
    """Paths of the modules that hold a parameter, the innermost first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
