"""Whether the stream holds what enters it, or fades in depth as what the blocks add does.

Under the rule k ≥ 2 a block adds 1/L. At the start the L of them point anywhere, so their sum is of
size 1/√L and falls behind what enters the stream, as the theory presumes. Where a base starts with
blocks that add far more than its embedding gives, as branches that end in a normalisation do beside
one of 0.02, the whole stream falls like 1/√L, and all that training changes of it counts for more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from specmup.inspection.blocks import in_list
from specmup.inspection.model_pair import ModelPair
from specmup.inspection.names import (
    abbreviated,
    canonical,
    modules_by_name,
    parameters_by_name,
)
from specmup.inspection.observation import Observation
from specmup.parametrization.initial import Start, rescale
from specmup.parametrization.parameter_plan import ParameterPlan
from specmup.streams import stream
from specmup.theory.rules import solved_layers
from specmup.tracing.copies import copied
from specmup.tracing.examples import calls
from specmup.tracing.reading import Reading
from specmup.tracing.recorder import replaced, tensors_in

# The blocks alone make a stream that falls with the power 1/2. On page Models, plans whose blocks
# add up to twice what enters (power 0.32) are level; from five times on (0.45) its change falls.
FADES = 0.35
NOTHING = torch.zeros(0)


@torch.no_grad()
def fading(
    starts: Sequence[nn.Module],
    pair: ModelPair,
    entries: Iterable[ParameterPlan],
    example: Any,
    seen: Observation | None,
) -> Iterator[str]:
    """Of each stream that fades or swells at the start because the depth changes: by how much, why.

    The base runs twice: as it starts, and with its branches' ends as much smaller as the sum of the
    target's blocks is.

    Args:
        starts: Models as the base starts, with memory.
        pair: The model beside its base.
        entries: Of the plan.
        example: An input; found from the model if not given.
        seen: The forward passes: they tell whether blocks themselves add to the stream.
    """
    ratios = _ratios(pair)
    sums = {path: _sum_factor(pair.block_depth, ratio) for path, ratio in ratios.items()}
    if not starts or seen is None or all(math.isclose(factor, 1) for factor in sums.values()):
        return
    base = copied(starts[-1]).eval()
    by_name = parameters_by_name(base)
    _start(by_name, pair, {entry.pattern: entry for entry in entries})
    adding = {path: _adds_itself(path, seen.base) for path in sums}
    before = _streams(base, adding, example)
    for param in pair.params:
        if param.place == "branch_end" and param.spec.blocks in sums:
            for p in (by_name[n] for n in param.before.names if n in by_name):
                p.add_(param.offset).mul_(sums[param.spec.blocks]).sub_(param.offset)
    after = _streams(base, adding, example)
    for path in (path for path in before if path in after):
        times = before[path].added / before[path].entering
        shrinks = after[path].leaving / before[path].leaving
        if abs(math.log(shrinks) / math.log(ratios[path])) > FADES:
            yield (
                f"At the base's start all of {path} together add {times:.3g} times what enters "
                "them. That sum falls like 1/√L, so behind them the model's stream starts "
                f"×{shrinks:.2g} as large as the base's, and one change of it counts for more."
                + _remedy(pair, times / _level(ratios[path], sums[path]))
            )


def _level(r_depth: float, factor: float) -> float:
    """How many times what enters blocks may add, so that nothing is said of their sum."""
    left = r_depth ** (-2 * FADES)  # of the stream's square
    return math.sqrt((1 - left) / (left - factor**2))


def _remedy(pair: ModelPair, times: float) -> str:
    """What would make a base level whose blocks add so many times too much."""
    if times <= 1:  # they do not point anywhere, and it would mend nothing
        return ""
    entering = [
        param.spec.pattern
        for param in pair.params
        if param.place in ("embedding", "input") and not param.is_vector
    ]
    return (
        f" Tune the base with {abbreviated(entering) or 'what enters'} {times:.2g} times larger at "
        "the start or, if its branches do not normalise what they read, with their ends as much "
        "smaller (std takes values by name), or with more blocks."
    )


def _adds_itself(path: str, one: Reading) -> bool:
    """Whether blocks of a list add to the stream, and do not hand a branch on to what adds it."""
    modules = (canonical(branch.op.module) for branch in one.branches)
    return any(in_list(f"{module}.*", {path: 1}) for module in modules)


def _ratios(pair: ModelPair) -> Mapping[str, float]:
    """The lists of blocks that end branches, by how much longer they are than the base's."""
    ends = (p for p in pair.params if p.place == "branch_end" and p.spec.blocks is not None)
    return {str(p.spec.blocks): p.depth.ratio for p in ends if p.depth.ratio != 1}


def _sum_factor(block_depth: int, r_depth: float) -> float:
    """What the sum of r_L times as many unaligned terms under the branch's multiplier gains."""
    return r_depth**0.5 * solved_layers(block_depth)["hidden"].multiplier.evaluate(1.0, r_depth)


def _start(
    by_name: Mapping[str, nn.Parameter], pair: ModelPair, entries: Mapping[str, ParameterPlan]
) -> None:
    """Give parameters the sizes that the plan takes for the base's; directions stay its own."""
    for param in pair.params:
        entry = entries[param.spec.pattern]
        if entry.init_std is None or entry.start != "drawn":
            continue
        size = entry.init_std / entry.factors.init_std
        start = Start(size, entry.start, entry.offset, entry.zero_rows)
        own = [(n, by_name[n]) for n in param.before.names if n in by_name]
        rescale([(name, p, start) for name, p in own if p.count_nonzero()])


@dataclass(frozen=True)
class _Stream:
    """Root mean squares: of what enters a list of blocks, of what they add, of what leaves."""

    entering: float
    added: float
    leaving: float


def _streams(model: nn.Module, adding: Mapping[str, bool], example: Any) -> dict[str, _Stream]:
    """The streams through lists of blocks, where what these return tells them.

    Args:
        model: The base.
        adding: The lists, and whether their blocks add to the stream themselves.
        example: An input; found from the model if not given.
    """
    for call in calls(model, example):
        args, options = call if example is not None else replaced(call, _alive)
        try:
            with torch.random.fork_rng(devices=[]), _passed(model, adding) as found:
                model(*args, **options)
        except Exception:  # of any kind: the model is not ours, and another call may fit
            continue
        ends = {path: _ends(*found[path], adds=adding[path]) for path in adding}
        return {
            path: _Stream(_rms(first), _rms(last - first), _rms(last))
            for path, (first, last) in ends.items()
            if len({first.shape, last.shape}) == 1 and first.any() and last.any()
        }
    return {}


def _ends(
    entering: Sequence[Tensor], returned: Sequence[Tensor], *, adds: bool
) -> tuple[Tensor, Tensor]:
    """The stream before the first block and behind the last; nothing where that is not sure."""
    if adds and entering:
        return entering[0], returned[-1]
    if len(entering) > 1 and [one.shape for one in entering] == [one.shape for one in returned]:
        sums = [one + branch for one, branch in zip(entering, returned, strict=True)]
        if all(torch.allclose(*both) for both in zip(sums[:-1], entering[1:], strict=True)):
            return entering[0], sums[-1]
    return NOTHING, NOTHING


@contextmanager
def _passed(
    model: nn.Module, paths: Iterable[str]
) -> Iterator[dict[str, tuple[list[Tensor], list[Tensor]]]]:
    """Within it, a forward pass leaves what enters and what leaves the blocks of each list."""
    modules = modules_by_name(model)
    found: dict[str, tuple[list[Tensor], list[Tensor]]] = {path: ([], []) for path in paths}
    handles = []
    for path, (entering, returned) in found.items():

        def enter(_module, args, options, entering=entering) -> None:
            entering.append(next(tensors_in([args, options]), NOTHING).clone())

        def leave(_module, _args, out, returned=returned) -> None:
            returned.append(next(tensors_in(out), NOTHING).clone())

        for block in dict.fromkeys(b for b in modules[path]._modules.values() if b is not None):
            handles.append(block.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(block.register_forward_hook(leave))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _alive(tensor: Tensor) -> Tensor:
    """Numbers in place of zeros, which would hide what the first map gives."""
    if not tensor.is_floating_point():
        return tensor
    return torch.randn(tensor.shape, generator=stream("check", 0))


def _rms(h: Tensor) -> float:
    return h.double().square().mean().sqrt().item()
