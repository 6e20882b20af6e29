"""Two optimizers as one: a matrix optimizer on hidden matrices, a companion on all the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from itertools import chain

import torch
from torch import Tensor
from torch.optim import Optimizer

from specmup.optimizers.steps import Closure, evaluated


class Hybrid(Optimizer):
    """A ``torch.optim.Optimizer`` whose parameter groups are the very dictionaries of its parts.

    So whatever changes a group's learning rate, any ``torch.optim.lr_scheduler`` for one, changes
    the part's. Schedulers that also cycle the momentum (``OneCycleLR``, ``CyclicLR``) need
    ``cycle_momentum=False``: the parts do not share one kind of momentum.

    Args:
        main: Of the hidden matrices.
        companion: Of the rest. Its groups are marked ``"companion": True``.
        order: The parts' groups in the order in which ``param_groups`` shall list them; by default
            those of ``main`` come first.
    """

    def __init__(
        self, main: Optimizer, companion: Optimizer, order: list[dict] | None = None
    ) -> None:
        """Take over the parts' groups."""
        self.main, self.companion = main, companion
        self._ready = False
        # What every group has; a schedule that cycles betas must not find those of one part alone.
        shared = main.defaults.keys() & companion.defaults.keys()
        defaults = {key: main.defaults[key] for key in main.defaults if key in shared}
        super().__init__(order or [*main.param_groups, *companion.param_groups], defaults)
        self._ready = True

    @property
    def parts(self) -> tuple[Optimizer, Optimizer]:
        """Both optimizers."""
        return self.main, self.companion

    @property  # type: ignore[override]  # torch's is an attribute
    def state(self) -> MutableMapping[Tensor, dict]:
        """The state of every parameter; it is its part's own, and what is written reaches it."""
        return _States(self.parts)

    @state.setter
    def state(self, states: Mapping[Tensor, dict]) -> None:
        """Replace the parts' states; the empty one that torch sets at construction is theirs."""
        if self._ready:
            kept = dict(states)
            self.state.clear()
            self.state.update(kept)

    @torch.no_grad()
    def step(self, closure: Closure = None) -> float | None:  # type: ignore[override]  # see Closure
        """One step of both; the closure is evaluated once."""
        loss = evaluated(closure)
        for part in self.parts:
            part.step()
        return loss

    def add_param_group(self, param_group: dict) -> None:
        """Give a group to the companion if it is marked ``"companion": True``, else to ``main``.

        Raises:
            ValueError: If a parameter of ``main`` is not a matrix, or one is in a group already.
        """
        if self._ready:
            for_companion = param_group.get("companion", False)
            if not for_companion:
                require_matrices(type(self.main).__name__, param_group)
            part = self.companion if for_companion else self.main
            part.add_param_group(param_group)
            param_group = part.param_groups[-1]
        super().add_param_group(param_group)

    def state_dict(self) -> dict:
        """In torch's own format, with each part's way of writing its state."""
        packed = super().state_dict()
        number = {id(p): i for i, p in enumerate(_parameters(self))}
        for part in self.parts:
            own = [number[id(p)] for p in _parameters(part)]
            packed["state"] |= {own[i]: s for i, s in part.state_dict()["state"].items()}
        return packed

    def load_state_dict(self, state_dict: Mapping) -> None:
        """Hand each part its share.

        Raises:
            ValueError: If the groups, or their sizes, are not those of this optimizer.
        """
        saved = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        if [len(group["params"]) for group in saved] != sizes:
            raise ValueError(
                f"the saved groups hold {[len(g['params']) for g in saved]} parameters, these "
                f"{sizes}: load what an optimizer of the same groups wrote"
            )
        place = {id(group): i for i, group in enumerate(self.param_groups)}
        places = [[place[id(group)] for group in part.param_groups] for part in self.parts]
        for part, own in zip(self.parts, places, strict=True):
            numbers = {i for g in own for i in saved[g]["params"]}
            state = {i: s for i, s in state_dict["state"].items() if i in numbers}
            part.load_state_dict({"state": state, "param_groups": [saved[g] for g in own]})
            for i, group in zip(own, part.param_groups, strict=True):
                self.param_groups[i] = group  # a loaded group is a new dictionary

    def __getstate__(self) -> dict:
        """For ``deepcopy`` and ``pickle``: the parts as well, which hold the same groups."""
        parts = {"main": self.main, "companion": self.companion, "_ready": True}
        told = super().__getstate__() | parts
        del told["state"]  # the parts' own
        return told


class _States(MutableMapping):
    """The states of both parts as one mapping; a new key goes to the part that has the parameter.

    As in torch, a parameter without a state gets an empty one when it is asked for.
    """

    def __init__(self, parts: tuple[Optimizer, Optimizer]) -> None:
        self.parts = parts

    def _home(self, key: Tensor) -> MutableMapping[Tensor, dict]:
        for part in self.parts:
            if key in part.state or any(key is p for p in _parameters(part)):
                return part.state
        raise KeyError(
            f"no parameter group holds {type(key).__name__} {getattr(key, 'shape', key)}"
        )

    def __getitem__(self, key: Tensor) -> dict:
        return self._home(key)[key]

    def __setitem__(self, key: Tensor, state: dict) -> None:
        self._home(key)[key] = state

    def __delitem__(self, key: Tensor) -> None:
        del self._home(key)[key]

    def __contains__(self, key: object) -> bool:
        return any(key in part.state for part in self.parts)

    def __iter__(self) -> Iterator[Tensor]:
        return chain(*(part.state for part in self.parts))

    def __len__(self) -> int:
        return sum(len(part.state) for part in self.parts)

    def __repr__(self) -> str:
        return repr(dict(self))

    def clear(self) -> None:
        for part in self.parts:
            part.state.clear()


def require_matrices(name: str, group: Mapping) -> None:
    """Refuse a group with parameters that are not matrices.

    Raises:
        ValueError: If there is one; the message gives its shape.
    """
    for parameter in group["params"]:
        if parameter.ndim != 2:
            raise ValueError(
                f"{name} trains matrices, not a parameter of shape {tuple(parameter.shape)}: "
                'mark its group "companion": True, so that AdamW trains it'
            )


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]
