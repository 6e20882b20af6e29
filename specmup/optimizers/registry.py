"""Every optimizer that has an update law, run by a library and made to follow the law.

``make_optimizer("lion", groups)`` takes plain parameter groups and returns a
``torch.optim.Optimizer`` in which a step is ΔW = −η(A + λW) with the A that
:mod:`specmup.theory.update` describes: without shape factors of the library's own, with decoupled
decay, and with ε where the law has it. (The decay of SGD is the exception: as everywhere, it is
added to the gradient and goes through the momentum.)
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch.optim import Optimizer

from specmup.optimizers import muon
from specmup.optimizers.hybrid import Hybrid, require_matrices
from specmup.theory.rules import COMPANION
from specmup.theory.update import UpdateLaw, update_law

# What these must be, where a library has them, for the decay to be −η·λ·W.
DECOUPLED = {"weight_decouple": True, "decoupled_weight_decay": True, "fixed_decay": False}


@dataclass(frozen=True)
class Adapter:
    """A library's optimizer and how it is set to follow its law.

    Args:
        find: Gives the class, corrected where that takes code. What rests on ``pytorch_optimizer``
            is imported when it is asked for: that takes as long as torch itself.
        fixed: Options that the law decides.
        defaults: Options that differ from the library's defaults, and may be changed.
        per_matrix: Whether a step depends on a matrix as a whole, so that matrices that are stacked
            in one tensor must be handed over one by one.
        epsilon: The library's own ε, where the law has one.
        whole: Why it takes whole parameters only, not shards (DTensors); empty if it takes them.
    """

    find: Callable[[], type[Optimizer]]
    fixed: Mapping = field(default_factory=dict)
    defaults: Mapping = field(default_factory=dict)
    per_matrix: bool = False
    epsilon: float | None = None
    whole: str = ""

    @property
    def library(self) -> type[Optimizer]:
        """The optimizer's class."""
        return self.find()

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that may be given."""
        taken = {"self", "params", "kwargs", "lr", "weight_decay", "eps", *DECOUPLED, *self.fixed}
        return tuple(k for k in inspect.signature(self.library).parameters if k not in taken)


def _adapted(name: str) -> type[Optimizer]:
    from specmup.optimizers import adapters

    return getattr(adapters, name)


def _shampoo() -> type[Optimizer]:
    from specmup.optimizers.shampoo import Shampoo

    return Shampoo


def _sso() -> type[Optimizer]:
    from specmup.optimizers.sso import SSO

    return SSO


def fourth_root(step: float) -> float:
    """ADOPT's bound on what a step is made of; the library's is a lambda, which pickle refuses."""
    return math.pow(step, 0.25)


DECOUPLE = {"weight_decouple": True}
# A trust ratio divides by the size of the step, which needs no correction of the average's start.
TRUST = DECOUPLE | {"adam_debias": True}

# What stands in the way of shards, by the operation that torch has no rule for, or that reads them.
CLAMPED = "a bound on its step, entry by entry, is not defined on shards"
RATIO = "its trust ratio needs the norm of the whole matrix"
DECOMPOSED = "it decomposes the whole matrix"

ADAPTERS: dict[str, Adapter] = {
    "sgd": Adapter(lambda: torch.optim.SGD, defaults={"fused": True}),
    "adamw": Adapter(lambda: torch.optim.AdamW, defaults={"fused": True}, epsilon=1e-8),
    "lion": Adapter(partial(_adapted, "Lion"), DECOUPLE),
    "sophia": Adapter(partial(_adapted, "Sophia"), DECOUPLE, {"p": 1.0}, epsilon=1e-12),
    "adopt": Adapter(
        partial(_adapted, "Adopt"),
        DECOUPLE,
        {"clip_lambda": fourth_root},
        epsilon=1e-6,
        whole=CLAMPED,
    ),
    "lamb": Adapter(partial(_adapted, "Lamb"), TRUST, per_matrix=True, epsilon=1e-6, whole=RATIO),
    "lamb-clamped": Adapter(
        partial(_adapted, "ClampedLamb"), TRUST, per_matrix=True, epsilon=1e-6, whole=RATIO
    ),
    "muon": Adapter(lambda: muon.UnscaledMuon, {"adjust_lr_fn": None}, per_matrix=True),
    "muon-original": Adapter(lambda: muon.Muon, {"adjust_lr_fn": "original"}, per_matrix=True),
    "muon-kimi": Adapter(lambda: muon.Muon, {"adjust_lr_fn": "match_rms_adamw"}, per_matrix=True),
    "shampoo": Adapter(_shampoo, per_matrix=True, epsilon=1e-6, whole=DECOMPOSED),
    "soap": Adapter(
        partial(_adapted, "Soap"),
        defaults={"max_precondition_dim": sys.maxsize},
        per_matrix=True,
        epsilon=1e-8,
        whole=DECOMPOSED,
    ),
    "sso": Adapter(_sso, per_matrix=True, whole=DECOMPOSED),
}


def make_optimizer(
    name: str, groups: Iterable[Mapping], *, companion: Mapping | None = None, **options
) -> Optimizer:
    """The optimizer called ``name`` on plain parameter groups.

    Args:
        name: A name in :data:`specmup.theory.update.LAWS`.
        groups: Dictionaries with ``params`` and ``lr``; ``weight_decay`` (0 where it is left out);
            ``eps`` where the law has an ε; and any option of the optimizer for this group alone.
            For optimizers of matrices, a group with ``"companion": True`` is trained by AdamW.
        companion: Options of that AdamW, such as ``{"betas": (0.9, 0.95)}``.
        options: Options of the named optimizer, see :attr:`Adapter.options`.

    Returns:
        One optimizer with the groups in the order given; where there is a companion, a
        :class:`~specmup.optimizers.hybrid.Hybrid`. ``idle_steps(name)`` tells how many of its
        first steps move nothing.

    Raises:
        ValueError: If the name or an option is unknown; a group is no mapping, has no learning
            rate, or a number that is negative or not finite; an ε is given to an optimizer without
            one; decay is to be coupled; a parameter of a matrix optimizer is not a matrix, or is
            sharded where the optimizer needs it whole; or there is a companion where the optimizer
            trains everything.

    >>> import torch
    >>> up, bias = torch.nn.Linear(8, 8).parameters()
    >>> groups = [{"params": [up], "lr": 0.02}, {"params": [bias], "lr": 0.001, "companion": True}]
    >>> [group["lr"] for group in make_optimizer("muon", groups).param_groups]
    [0.02, 0.001]
    """
    law = update_law(name)
    given = groups if isinstance(groups, Iterable) else [groups]
    checked = [_checked(law, group) for group in given]
    if not checked:
        raise ValueError(f"no parameter groups for {name}: give at least one")
    rest = [group for group in checked if group.get("companion")]
    if (rest or companion) and not law.matrices_only:
        raise ValueError(f"{name} trains every parameter: it has no companion to give options to")
    own = [group for group in checked if not group.get("companion")]
    if not own:
        return _made(COMPANION, rest, companion or {})
    main = _made(law, own, options)
    if not rest:
        return main
    other = _made(COMPANION, rest, companion or {})
    # The optimizers copied the groups: find each part's in the order in which they were given.
    made = iter(main.param_groups), iter(other.param_groups)
    return Hybrid(main, other, [next(made[bool(group.get("companion"))]) for group in checked])


def idle_steps(name: str) -> int:
    """How many of an optimizer's first steps only fill its statistics and move nothing.

    Raises:
        ValueError: If there is no such optimizer.
    """
    return update_law(name).idle_steps


def _made(law: UpdateLaw, groups: list[dict], options: Mapping) -> Optimizer:
    name, adapter = law.name, ADAPTERS[law.name]
    options = dict(options)
    if "eps" in options:
        _check_epsilon(law, options)
        groups = [{"eps": options["eps"]} | group for group in groups]
        del options["eps"]
    _check_decay(name, options)
    options = {key: value for key, value in options.items() if key not in DECOUPLED}
    for key, value in options.items():
        if key in adapter.fixed:
            raise ValueError(f"{key}={value!r} would not be {name}, whose shape factor is fixed")
        if key not in adapter.options:
            known = ", ".join(adapter.options)
            beside = law.matrices_only and key in ADAPTERS[COMPANION.name].options
            hint = (
                f"; for the {COMPANION.name} beside it, companion={{{key!r}: …}}" if beside else ""
            )
            raise ValueError(f"{name} has no option {key!r}: choose among {known}{hint}")
    defaults = dict(adapter.defaults)
    if options.get("foreach") or options.get("differentiable"):
        defaults.pop("fused", None)  # torch takes one of them
    if any(hasattr(p, "placements") for group in groups for p in group["params"]):
        if adapter.whole:
            raise ValueError(
                f"{name} does not train sharded parameters ({adapter.whole}): train by DDP, which "
                "keeps them whole, or by another optimizer, such as muon or adamw"
            )
        if name == "sgd":
            defaults["fused"] = False  # torch cannot run its fused kernel on sharded parameters
    return adapter.library(groups, **{**defaults, **options, **adapter.fixed})


def _checked(law: UpdateLaw, group: Mapping) -> dict:
    """A copy of a group, complete and found to be in order."""
    if not isinstance(group, Mapping):
        raise ValueError(
            f"{law.name} is given a {type(group).__name__} as a group of parameters: give "
            "[{'params': …, 'lr': …}]"
        )
    complete = {"weight_decay": 0.0, **group}
    if "params" not in complete or "lr" not in complete:
        raise ValueError(
            f"a group has the keys {', '.join(map(str, complete))}: give params and lr"
        )
    params = complete["params"]
    complete["params"] = [params] if isinstance(params, torch.Tensor) else list(params)
    for key in ("lr", "weight_decay", "eps"):
        if key in complete and not (math.isfinite(complete[key]) and complete[key] >= 0):
            raise ValueError(f"{key} is {complete[key]}: it must be finite and not negative")
    if not complete.get("companion"):
        _check_epsilon(law, complete)
        _check_decay(law.name, complete)
        if law.matrices_only:
            require_matrices(law.title, complete)
    return complete


def _check_epsilon(law: UpdateLaw, numbers: Mapping) -> None:
    if "eps" in numbers and law.epsilon is None:
        raise ValueError(f"{law.title} has no ε, but eps is {numbers['eps']}: leave eps out")


def _check_decay(name: str, options: Mapping) -> None:
    for key, wanted in DECOUPLED.items():
        if options.get(key, wanted) is not wanted:
            raise ValueError(
                f"{name} with {key}={options[key]}: rules for the decay λ hold where a step "
                f"subtracts η·λ·W; leave {key} out"
            )
