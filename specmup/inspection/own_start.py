"""What of a model's own start is a draw, and what is structure that stays.

Drawn twice with different seeds, what changes is a draw and what does not is structure: gains
whatever they are called, log-spaced rates, tables, the row of an embedding that is padding. From a
single start only constants, equal rows and rows of zeros can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from specmup.inspection.names import parameters_by_name
from specmup.inspection.specs import ParamSpec
from specmup.streams import stream

KINDS = ("drawn", "constant", "kept")
# More numbers than that are not drawn twice.
LARGEST = 5 * 10**7
SPREAD = 6  # standard errors of a mean within which a draw counts as centred


@dataclass(frozen=True)
class OwnStart:
    """How a parameter starts of itself.

    Args:
        kind: ``drawn`` from a centred distribution, ``constant``, or ``kept``: anything else.
        constant: The constant; None if it is none.
        zero_rows: Rows of a draw that are zero all the same.
    """

    kind: str
    constant: float | None = None
    zero_rows: tuple[int, ...] = ()


def draws(base: nn.Module, build: Callable[[], nn.Module] | None) -> list[nn.Module]:
    """The base, if it has memory, and two starts more, if what builds it makes the same model."""
    found = [base] if not any(p.is_meta for p in base.parameters()) else []
    if build is None or sum(p.numel() for p in base.parameters()) > LARGEST:
        return found
    more = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(1, 3):
            torch.set_rng_state(stream("weights", seed).get_state())
            try:
                more.append(build())
            except Exception:  # of any kind: the model's code is not ours
                return found
    # A model may have been given other parameters since it was made from its configuration.
    return [*found, *more] if all(_shapes(made) == _shapes(base) for made in more) else found


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: p.shape for name, p in parameters_by_name(model).items()}


def own_start(spec: ParamSpec, starts: Sequence[nn.Module]) -> OwnStart:
    """How the parameters of one pattern start, from one or more starts of one model.

    Args:
        spec: The parameters.
        starts: Models with memory, not yet trained.
    """
    values = [list(_values(spec, start)) for start in starts]
    first = values[0]
    constants = {float(v.flatten()[0]) for v in first if _is_constant(v)}
    each = zip(*values, strict=True)
    same = [all(torch.equal(value, other) for other in others) for value, *others in each]
    if all(map(_is_constant, first)) and len(constants) == 1 and all(same):
        return OwnStart("constant", constants.pop())
    several = len(starts) > 1
    if several and all(same):
        return OwnStart("kept")
    if not several and any(map(_has_equal_rows, first)):
        return OwnStart("kept")
    # A bias has few numbers: those of all blocks and starts tell more than each by itself.
    is_bias = spec.pattern.endswith("bias")
    told = [torch.cat([v.flatten() for some in values for v in some])] if is_bias else first
    if not all(map(_is_centred, told)):
        return OwnStart("kept")
    return OwnStart("drawn", zero_rows=_zero_rows(first) if first[0].dim() > 1 else ())


def _values(spec: ParamSpec, model: nn.Module) -> Iterator[Tensor]:
    found = parameters_by_name(model)
    for name in (*spec.names, *spec.aliases):
        if name in found:
            yield found[name].detach().double()


def _is_constant(value: Tensor) -> bool:
    return bool((value == value.flatten()[0]).all())


def _has_equal_rows(value: Tensor) -> bool:
    return value.dim() > 1 and len(value) > 1 and bool((value == value[0]).all())


def _is_centred(value: Tensor) -> bool:
    """Whether a mean is no further from zero than that of a draw; few numbers tell nothing."""
    error = value.std() / value.numel() ** 0.5 if value.numel() > 1 else value.abs().max()
    return bool(value.mean().abs() <= SPREAD * error)


def _zero_rows(values: Sequence[Tensor]) -> tuple[int, ...]:
    each = [set((value.flatten(1) == 0).all(1).nonzero().flatten().tolist()) for value in values]
    return tuple(sorted(set.intersection(*each)))
