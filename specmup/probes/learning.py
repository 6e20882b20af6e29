"""Does a model learn at all, and which rate has each of its parameters really?

A check of features says nothing of this: a rate of zero keeps them level too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from specmup.inspection.names import abbreviated
from specmup.norms import or_inf

STEPS = 10
# A loss that fell by less than this part of itself has not moved.
FALLEN = 0.01


@dataclass(frozen=True)
class Learning:
    """What a few steps on one batch did.

    Attributes:
        before: The loss at the start.
        after: The loss after :data:`STEPS` steps; infinite where it diverged.
        rates: Names of parameters by the learning rate that the optimizer has for them.
    """

    before: float
    after: float
    rates: Mapping[float, tuple[str, ...]]

    @property
    def learns(self) -> bool:
        """Whether the loss fell, by more than rounding and chance would have it."""
        return isfinite(self.after) and self.after < (1 - FALLEN) * self.before

    def __str__(self) -> str:
        """One line if it learns; else with every rate, and what mistakes look like this."""
        moved = f"loss {self.before:.3f} → {self.after:.3f} in {STEPS} steps on one batch"
        if self.learns:
            return f"it learns: {moved}"
        rates = [f"  {rate:.3g}: {abbreviated(self.rates[rate])}" for rate in sorted(self.rates)]
        return "\n".join([f"it does not learn: {moved}, at these rates", *rates, ADVICE])


ADVICE = (
    "  Is the base rate meant for this optimizer? Is it the rate itself, not its logarithm? In a "
    "trainer of yours, plan.schedule_factor(model, optimizer) says whether these rates are kept."
)


def learning(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor],
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor],
) -> Learning:
    """Train on one batch for some steps.

    Args:
        model: Started; it is trained in place.
        optimizer: Of its parameters.
        batch: Inputs and targets.
        loss: Of a model, inputs and targets.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    rates: dict[float, tuple[str, ...]] = {}
    for group in optimizer.param_groups:
        here = tuple(names.get(id(p), "a parameter without a name") for p in group["params"])
        rates[float(group["lr"])] = (*rates.get(float(group["lr"]), ()), *here)
    before = loss(model, *batch)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(model, *batch).backward()
        optimizer.step()
    return Learning(before.item(), or_inf(loss(model, *batch)).item(), rates)
