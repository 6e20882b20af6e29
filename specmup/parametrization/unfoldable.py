"""What cannot be folded or tied exactly, refused with the reason; factors are in ``factors``.

The readout's multiplier 1/r_n cannot be folded into a matrix that is also the embedding: only one
of its two uses may shrink. If a normalisation with a gain stands directly before the head, the
multiplier fits into that gain and bias instead, and the tie stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping

from specmup.inspection.model_pair import ModelPair
from specmup.parametrization.base_values import BaseValues


def check_foldable(pair: ModelPair, gauge: str) -> None:
    """Refuse what the folded gauge cannot express.

    Raises:
        ValueError: If the head is tied and no gain stands before it, or biases of several maps
            share a tensor with those that must shrink.
    """
    if gauge != "folded":
        return
    gain = any(m.place == "final_norm" and m.spec.is_gain for m in pair.params)
    if pair.tied and not gain and pair.width.ratio != 1:  # 1/r_n is something
        tied = next(m.spec for m in pair.params if m.tied)
        raise ValueError(
            f"{tied.names[0]} and {tied.aliases[0]} are one tensor, and the readout's multiplier "
            "1/r_n can be folded into neither: it would shrink the embedding as well. Untie them; "
            "or give the model a `multipliers` dictionary and gauge='forward'; or, if a "
            "normalisation with a gain stands directly before the head, declare "
            "places={'its name': 'final_norm'}"
        )
    heads = [m.spec.pattern for m in pair.params if m.role == "output"]
    if pair.tied and heads and pair.width.ratio != 1:
        raise ValueError(
            f"the readout's multiplier 1/r_n of the tied head stands in the gain before it, and "
            f"{', '.join(heads)}, a head as well, would be divided twice if it reads from there: "
            "untie the head, or give the model a `multipliers` dictionary and gauge='forward'"
        )
    for param in pair.params:
        stacked = param.spec.stacked and param.role == "hidden_bias"
        if stacked and pair.block_depth > 1:
            raise ValueError(
                f"{param.spec.pattern} holds the biases of all maps of a branch in one tensor, of "
                "which the folded gauge must shrink each by another power: use gauge='forward'"
            )


def check_tied_values(pair: ModelPair, values: Mapping[str, BaseValues]) -> None:
    """Refuse base values that differ between the two roles of a tied matrix.

    The rules themselves ask the same of an embedding and of a head, whatever the optimizer.

    Raises:
        ValueError: If a mapping gives ``output`` another value than the embedding has.
    """
    for param in pair.params:
        if not param.tied:
            continue
        for kind, given in values.items():
            as_head, own = given.given.get("output"), given.of(param)
            if as_head is not None and as_head != own:
                raise ValueError(
                    f"{kind} is {own} for {param.spec.names[0]} and {as_head} for the role "
                    "output, but they are one tensor: give both one value, or untie them"
                )
