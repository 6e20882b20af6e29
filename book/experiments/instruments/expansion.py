"""What one training step does to the features, taken apart exactly, order by order.

A step moves the k maps of a block from W to W + ΔW. Its branch output then changes by a part that
earlier blocks pass on (no map of this block moved), parts in which one map moved, two, and so on:

    Δh_l = Δh_{l-1} + ε₀ + Σ_{∅≠S} ε_S,      ε_S = α Σ_{T⊆S} (−1)^{|S|−|T|} f_T(h'_{l-1}),

where f_T is the branch with exactly the maps in T moved and h' the features after the step. For
linear maps ε_S is the product in which the maps of S are replaced by their updates; for any other
activation the same inclusion–exclusion keeps the sum exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import pandas as pd
import torch
from torch import Tensor

from specmup.models.resnet import ResNet
from specmup.norms import rms_norm, rms_operator_norm

# Blocks at which operator norms are measured: enough to average over, cheap at any depth.
PROBED_BLOCKS = 4

Blocks = list[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]


@dataclass(frozen=True)
class Snapshot:
    """A model's blocks and its features on a probe batch, at one moment.

    Args:
        blocks: Maps and biases of each block.
        features: Residual stream h_0 … h_L, (L+1, R?, batch, n).
    """

    blocks: Blocks
    features: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: ResNet, x: Tensor) -> Snapshot:
        """Copy what a later expansion needs; ``x`` is the probe batch."""
        blocks = [
            (tuple(w.clone() for w in maps), tuple(b.clone() for b in biases))
            for maps, biases in model.blocks()
        ]
        return cls(blocks, model.features(x))


@dataclass(frozen=True)
class Expansion:
    """One step's change of the features, taken apart.

    Args:
        terms: For each subset of moved maps (numbered from 1), ε_S of every block,
            (L, R?, batch, n). The empty subset holds ε₀.
        carried: Change of the features that enter the first block, (R?, batch, n).
        change: Change of the features that leave the last one, (R?, batch, n).
    """

    terms: dict[tuple[int, ...], Tensor]
    carried: Tensor
    change: Tensor

    def order(self, j: int) -> Tensor:
        """Sum of all terms in which exactly j maps moved, (L, R?, batch, n)."""
        moved = (term for subset, term in self.terms.items() if len(subset) == j)
        return sum(moved, start=self.change.new_zeros(()))

    def through(self, block: int) -> Tensor:
        """Change of the features due to the blocks before ``block``, (R?, batch, n)."""
        parts = (term[:block].sum(0) for term in self.terms.values())
        return sum(parts, start=self.change.new_zeros(()))

    def remainder(self) -> Tensor:
        """What the terms do not explain, (R?, batch, n): zero up to rounding."""
        return self.change - self.carried - self.through(len(self.terms[()]))

    def sizes(self) -> pd.DataFrame:
        """RMS sizes by replica and order: of a typical block's term, and of the sum over blocks.

        Columns: ``replica``, ``order``, ``block`` (root mean square over blocks, samples and
        width), ``total`` (root mean square over samples and width of the sum over blocks).
        """
        rows = []
        for j in range(1 + max(len(s) for s in self.terms)):
            term = self.order(j)  # (L, R?, batch, n)
            if term.ndim == 3:
                term = term.unsqueeze(1)
            block = term.square().mean((0, 2, 3)).sqrt().tolist()
            total = term.sum(0).square().mean((1, 2)).sqrt().tolist()
            rows += [
                {"replica": r, "order": j, "block": b, "total": t}
                for r, (b, t) in enumerate(zip(block, total, strict=True))
            ]
        return pd.DataFrame(rows)

    def sizes_by_name(self, names: Mapping[int, str]) -> pd.DataFrame:
        """The same, a row a replica: ``block`` under an order's name, ``total`` under NAME_sum."""
        by_order = self.sizes().pivot(index="replica", columns="order")
        return pd.DataFrame(
            {
                f"{name}{suffix}": by_order[column, order]
                for order, name in names.items()
                for suffix, column in (("", "block"), ("_sum", "total"))
            }
        )


@torch.no_grad()
def expand_step(model: ResNet, before: Snapshot, x: Tensor) -> Expansion:
    """Take the change since ``before`` apart by the maps that moved.

    Biases count as part of their map: where it has moved, so has its bias.

    Args:
        model: The model after the step.
        before: Its snapshot before the step, on the same ``x``.
        x: The probe batch, (batch, d) or (R, batch, d).
    """
    new_blocks, new_features = model.blocks(), model.features(x)
    alpha = model.multipliers["hidden"]
    subsets = list(_subsets(range(1, model.shape.block_depth + 1)))
    terms: dict[tuple[int, ...], list[Tensor]] = {s: [] for s in subsets}
    for block, (old, new) in enumerate(zip(before.blocks, new_blocks, strict=True)):
        h_old, h_new = before.features[block], new_features[block]  # (R?, batch, n)
        branch = {s: alpha * model.branch(h_new, *_mixed(old, new, s)) for s in subsets}
        terms[()].append(branch[()] - alpha * model.branch(h_old, *old))
        for s in subsets[1:]:
            signed = ((-1) ** (len(s) - len(t)) * branch[t] for t in _subsets(s))
            terms[s].append(sum(signed))
    return Expansion(
        {s: torch.stack(blocks) for s, blocks in terms.items()},
        carried=new_features[0] - before.features[0],
        change=new_features[-1] - before.features[-1],
    )


@torch.no_grad()
def attained_second_order(expansion: Expansion, model: ResNet, before: Snapshot) -> Tensor:
    """How much of its bound the second-order term of a two-map branch attains, (R,).

    The term's RMS size over α·‖ΔW⁽²⁾‖_R·‖ΔW⁽¹⁾‖_R·‖h‖_R, averaged over a few evenly spaced
    blocks: 1 if ΔW⁽¹⁾ sends the features where ΔW⁽²⁾ acts most, about n^-1/2 if the two have
    nothing to do with one another.

    Raises:
        ValueError: If a branch does not hold two linear maps.
    """
    if (model.shape.block_depth, model.shape.activation) != (2, "linear"):
        raise ValueError(
            f"block depth {model.shape.block_depth}, activation {model.shape.activation}: "
            "the bound is that of two linear maps"
        )
    chosen = probed_blocks(model.shape.depth)
    moved = model.blocks()
    updates = torch.stack(
        [
            torch.stack(
                [new - old for new, old in zip(moved[i][0], before.blocks[i][0], strict=True)]
            )
            for i in chosen
        ]
    )  # (blocks, 2, R?, n, n)
    # The features after the step at each block's entry: those before it, plus all changes.
    entering = torch.stack(
        [before.features[i] + expansion.carried + expansion.through(i) for i in chosen]
    )  # (blocks, R?, batch, n)
    bound = rms_operator_norm(updates).prod(1) * overall_rms(entering)
    attained = overall_rms(expansion.terms[(1, 2)][chosen]) / bound
    return attained.mean(0).reshape(-1) / model.multipliers["hidden"]


@torch.no_grad()
def relative_step(model: ResNet, before: Snapshot) -> Tensor:
    """Size of what a step adds to W⁽¹⁾h next to W⁽¹⁾h itself, averaged over blocks; (R,)."""
    pairs = zip(before.features, before.blocks, model.blocks(), strict=False)
    sizes = [
        overall_rms(h @ (new[0][0] - old[0][0]).mT) / overall_rms(h @ old[0][0].mT)
        for h, old, new in pairs
    ]
    return torch.stack(sizes).mean(0).reshape(-1)


def probed_blocks(depth: int) -> list[int]:
    """A few evenly spaced blocks, the first and the last among them."""
    return torch.linspace(0, depth - 1, min(PROBED_BLOCKS, depth)).long().tolist()


def overall_rms(h: Tensor) -> Tensor:
    """RMS over samples and coordinates: (..., batch, n) → (...)."""
    return rms_norm(h, dim=(-2, -1))


def _mixed(old, new, moved: Sequence[int]):
    """Maps and biases of a block in which exactly the numbered maps have moved."""
    picks = [new if i in moved else old for i in range(1, len(old[0]) + 1)]
    maps = tuple(pick[0][i] for i, pick in enumerate(picks))
    biases = tuple(pick[1][i] for i, pick in enumerate(picks)) if old[1] else ()
    return maps, biases


def _subsets(items: Iterable[int]) -> Iterator[tuple[int, ...]]:
    items = tuple(items)
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))
