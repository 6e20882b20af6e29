"""The atlas, cell by cell: measured exponents beside the predicted ones, with verdicts.

A cell is one optimizer, one block depth, one role, one of width and depth, and one of the two sizes
that the spectral condition prescribes: that of the update, and that of the change it causes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import pandas as pd

from experiments.instruments.updates import SIZES, Size
from specmup.analysis.exponents import TOLERANCE, Exponents, Verdict
from specmup.analysis.fit import fit_exponents
from specmup.analysis.interval import Interval
from specmup.analysis.transfer import Axis
from specmup.theory.order import DEPTH, Order
from specmup.theory.rules import ROLES, solved_layers
from specmup.theory.update import LAWS

KIND = ["optimizer", "block_depth", "role"]
AXES: tuple[Axis, ...] = ("width", "depth")
ANSWERS = ("agrees", "cannot tell", "disagrees")


@dataclass(frozen=True)
class Cell:
    """One measured exponent and the theory's.

    Args:
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        block_depth: Number k of maps in a branch.
        role: Which parameters.
        axis: ``width`` or ``depth``.
        quantity: ``update`` for ‖ΔW‖_R, ``change`` for the feature change it causes.
        verdict: The fit against the prediction.
    """

    optimizer: str
    block_depth: int
    role: str
    axis: Axis
    quantity: Size
    verdict: Verdict

    @property
    def measured(self) -> Interval:
        """The exponent along the axis, with its interval."""
        return getattr(self.verdict.measured, self.axis)

    @property
    def predicted(self) -> float:
        """The theory's exponent along the axis."""
        return float(getattr(self.verdict.predicted, self.axis))


def predicted(role: str, block_depth: int, quantity: Size) -> Order:
    """The order that the condition asks for, whatever the optimizer.

    ``update`` is ‖ΔW‖_R in the gauge of the rules. ``change`` is what it does to the features:
    α‖ΔW‖_R times the norms of the branch's other maps, and for a role that stands in every block L
    times as much, since aligned contributions add up.

    Raises:
        ValueError: If the quantity is neither.
    """
    solved = solved_layers(block_depth)[role]
    if quantity == "update":
        return solved.update_norm
    if quantity != "change":
        raise ValueError(f"unknown quantity {quantity!r}: choose one of {', '.join(SIZES)}")
    blocks = DEPTH if role.startswith("hidden") else DEPTH**0
    return blocks * solved.layer.sensitivity * solved.update_norm


def cells(
    frame: pd.DataFrame,
    *,
    window: str = "late",
    quantities: Iterable[Size] = SIZES,
    axes: Iterable[Axis] = AXES,
    tolerance: float = TOLERANCE,
) -> list[Cell]:
    """Fit every cell of the atlas and hold it against the theory, in the order of both lists.

    Args:
        frame: Rows of :mod:`experiments.atlas`.
        window: ``late`` or ``first``.
        quantities: Which sizes to judge.
        axes: Over which of width and depth.
        tolerance: As in :meth:`specmup.analysis.exponents.Exponents.verdict`.
    """
    groups = frame.groupby(KIND)
    kinds = frame[KIND].drop_duplicates().itertuples(index=False, name=None)
    return [
        Cell(
            optimizer=optimizer,
            block_depth=k,
            role=role,
            axis=axis,
            quantity=quantity,
            verdict=exponents(
                groups.get_group((optimizer, k, role)), f"{quantity}_{window}", axis
            ).verdict(predicted(role, k, quantity), tolerance),
        )
        for optimizer, k, role in sorted(kinds, key=_place)
        for quantity, axis in product(quantities, axes)
    ]


def _place(kind: tuple[str, int, str]) -> tuple[int, int, int]:
    """Optimizers and roles in the order in which the theory lists them."""
    optimizer, block_depth, role = kind
    return list(LAWS).index(optimizer), block_depth, ROLES.index(role)


def exponents(rows: pd.DataFrame, column: str, axis: Axis) -> Exponents:
    """The exponent of a column along one axis, the other at the size where this one varies most."""
    other = "depth" if axis == "width" else "width"
    line = rows[rows[other] == rows.groupby(other)[axis].nunique().idxmax()]
    return fit_exponents(line[column], line.width, line.depth, seed=line.seed)


def side_by_side(found: Iterable[Cell]) -> pd.DataFrame:
    """One row a cell, with ``estimate``, ``low``, ``high``, ``predicted`` and ``verdict``."""
    return pd.DataFrame(
        {
            "optimizer": cell.optimizer,
            "block_depth": cell.block_depth,
            "role": cell.role,
            "axis": cell.axis,
            "quantity": cell.quantity,
            "predicted": cell.predicted,
            "estimate": cell.measured.estimate,
            "low": cell.measured.low,
            "high": cell.measured.high,
            "verdict": cell.verdict.answer,
        }
        for cell in found
    )
