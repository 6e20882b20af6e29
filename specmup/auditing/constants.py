"""What the forward pass multiplies by, and which parameter each constant stands in front of."""

from __future__ import annotations

from collections.abc import Mapping

from specmup.auditing.reading import Reading
from specmup.parametrization.initial import offered_multipliers
from specmup.parametrization.model_pair import ModelPair, ScaledParam
from specmup.parametrization.places import PLACES

# Places next to a multiplier: it could be folded into the parameters that stand there.
BESIDE_MULTIPLIER = ("embedding", "input", "branch_end", "head")


def offered_constants(pair: ModelPair, reading: Reading) -> dict[str, float] | None:
    """The multipliers that a model offers, by pattern of parameters; None if it offers none.

    That of a branch stands beside its last map and that map's bias. The maps of a branch that are
    stacked in one tensor share it evenly, as they do in a plan's folded gauge.
    """
    modules = reading.model.modules()
    offered = next((o for m in modules if (o := offered_multipliers(m)) is not None), None)
    if offered is None:
        return None
    return {
        param.spec.pattern: offered.get(role, 1.0) ** (1 / share(param, pair))
        for param in pair.params
        if (role := multiplier_beside(param, pair)) is not None
    }


def multiplier_beside(param: ScaledParam, pair: ModelPair) -> str | None:
    """Role of the multiplier that could be folded into a parameter; None where there is none.

    That of a tied head folds into the normalisation before it, as the matrix is also the embedding.
    """
    if param.place == "final_norm" and pair.tied:
        return "output"
    return PLACES[param.place].multiplier if param.place in BESIDE_MULTIPLIER else None


def share(param: ScaledParam, pair: ModelPair) -> int:
    """How many maps share one multiplier within a tensor."""
    return pair.block_depth if param.place == "branch_end" and param.spec.stacked else 1


def by_parameter(constants: Mapping[str, float], pattern: str) -> float:
    """The constant in front of a parameter; 1 where none was read."""
    return constants.get(pattern, 1.0)
