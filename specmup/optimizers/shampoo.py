"""The library's blocked Shampoo, corrected: sums from the first step on, ε by group, plain state.

What ``pytorch_optimizer.ScalableShampoo`` does is set right here:

- by default it grafts the size of SGD's step on its own, and preconditions from step 25 only;
- it merges small dimensions, so that a matrix of less than 512 entries counts as a vector and is
  not preconditioned at all;
- where the preconditioners are not computed at every step, they are the identity until they are
  first computed;
- as a moving average the statistics start at ε, which fades away, and are not corrected for that;
- ε is one for all groups, and the state holds objects that ``state_dict`` cannot save safely.

(``pytorch_optimizer.Shampoo`` was not chosen: with momentum it averages the raw gradient with the
preconditioned one of the step before.)
"""

from __future__ import annotations

import sys

import torch
from pytorch_optimizer import ScalableShampoo
from pytorch_optimizer.optimizer.utils.graft import Graft, LayerWiseGrafting
from pytorch_optimizer.optimizer.utils.partition import PreConditionerType
from pytorch_optimizer.optimizer.utils.preconditioner import PreConditioner
from torch import Tensor

from specmup.optimizers.adapters import Copyable, finite_only

SIDES = {
    "both": PreConditionerType.ALL,
    "left": PreConditionerType.INPUT,
    "right": PreConditionerType.OUTPUT,
}
PLAIN = ("statistics", "pre_conditioners", "count")  # what a preconditioner's state consists of


class Preconditioner(PreConditioner):
    """One matrix's statistics, block by block, and their inverse roots."""

    count = 0

    def add_statistics(self, grad: Tensor) -> None:
        """Add GGᵀ and GᵀG; the first gradient's are put to use at once."""
        super().add_statistics(grad)
        self.count += 1
        if self.count == 1:
            self.compute_pre_conditioners()

    def compute_pre_conditioners(self) -> None:
        """Inverse roots of sum + ε, or of average + ε."""
        statistics = self.statistics
        if self.beta2 < 1:
            fade = self.beta2**self.count
            self.statistics = [self._corrected(each, fade) for each in statistics]
            if self.is_same_shapes:
                self.statistics = torch.stack(self.statistics)
        super().compute_pre_conditioners()
        self.statistics = statistics

    def _corrected(self, average: Tensor, fade: float) -> Tensor:
        """The average of what was seen, plus ε: without the ε it started from, which fades."""
        start = self.matrix_eps * torch.eye(len(average), dtype=average.dtype).to(average.device)
        return (average - fade * start) / (1 - fade) + start


class Shampoo(Copyable, ScalableShampoo):
    """A = average of (S_L + ε)^-e · G · (S_R + ε)^-e, with S the sums of GGᵀ and of GᵀG.

    Args:
        params: Groups; each may hold ``lr``, ``weight_decay`` and ``eps``.
        lr: η.
        betas: Of the average of preconditioned gradients, and of the statistics; the second may be
            1, which means sums, as published.
        weight_decay: Decoupled.
        eps: ε.
        root: 1/e, an integer: 4 for e = 1/4.
        side: ``both``, ``left`` (rows only) or ``right`` (columns only).
        block_size: Side of the blocks; None for no blocking.
        period: Steps from one computation of the inverse roots to the next.
    """

    def __init__(
        self,
        params: list[dict],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 1.0),
        weight_decay: float = 0.0,
        eps: float = 1e-6,
        root: int = 4,
        side: str = "both",
        block_size: int | None = None,
        period: int = 1,
    ) -> None:
        """Check what the library does not."""
        if side not in SIDES:
            raise ValueError(f"unknown side {side!r}: choose one of {', '.join(SIDES)}")
        if not isinstance(root, int) or root < 1:
            raise ValueError(f"root is {root!r}: give a positive integer, 4 for exponents of 1/4")
        if not 0 < betas[1] <= 1:
            raise ValueError(f"betas are {betas}: the second must be in (0, 1], 1 for sums")
        # The library refuses β₂ = 1 here, not in a group.
        params = [{"betas": betas, "eps": eps, **group} for group in params]
        super().__init__(
            params,
            lr=lr,
            betas=(betas[0], 0.0),
            weight_decay=weight_decay,
            moving_average_for_momentum=True,
            decoupled_weight_decay=True,
            inverse_exponent_override=root,
            start_preconditioning_step=1,
            preconditioning_compute_steps=period,
            block_size=sys.maxsize if block_size is None else block_size,
            no_preconditioning_for_layers_with_dim_gt=sys.maxsize,
            shape_interpretation=False,
            graft_type=LayerWiseGrafting.NONE,
            pre_conditioner_type=SIDES[side],
            nesterov=False,
            use_svd=True,
        )

    def init_group(self, group: dict, **_: object) -> None:
        """Make the state of parameters that have none."""
        group.setdefault("step", 0)
        for p in group["params"]:
            if p.grad is not None and not self.state[p]:
                self.state[p].update(momentum=torch.zeros_like(p), **self._objects(p, group))

    def _objects(self, p: Tensor, group: dict) -> dict:
        preconditioner = Preconditioner(
            p,
            group["betas"][1],
            self.inverse_exponent_override,
            self.block_size,
            self.skip_preconditioning_rank_lt,
            self.no_preconditioning_for_layers_with_dim_gt,
            self.shape_interpretation,
            self.pre_conditioner_type,
            group["eps"],
            self.use_svd,
        )
        return {"pre_conditioner": preconditioner, "graft": Graft(p)}

    step = finite_only(ScalableShampoo.step)

    def state_dict(self) -> dict:
        """Tensors and numbers only."""
        packed = super().state_dict()
        for number, state in packed["state"].items():
            own = vars(state["pre_conditioner"])
            plain = {"momentum": state["momentum"], "count": 0}
            packed["state"][number] = plain | {key: own[key] for key in PLAIN if key in own}
        return packed

    def load_state_dict(self, state_dict: dict) -> None:
        """Tensors and numbers back into the library's objects."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                if "statistics" in (state := self.state.get(p, {})):
                    own = {key: state.pop(key) for key in PLAIN}
                    state.update(self._objects(p, group))
                    vars(state["pre_conditioner"]).update(own)
