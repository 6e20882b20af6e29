"""A model at other sizes, from the configuration that it keeps, on the meta device.

Hugging Face models have ``config``, nanoGPT's a dataclass of that name, those of this package
``shape``. Nothing of theirs is imported: a model brings its class and its configuration.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from specmup.foreign import named_sizes, refusing
from specmup.parametrization.followers import Unfit, followers, own_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class OfHuggingFace(Protocol):
    """What is asked of a configuration that is no dataclass."""

    def to_dict(self) -> dict[str, Any]:
        """All its entries."""


def resized(model: nn.Module, sizes: Mapping[str, int]) -> nn.Module:
    """A model of the same class at other sizes, on the meta device.

    Args:
        model: Made from a configuration, which it keeps as ``config`` or ``shape``.
        sizes: ``width`` and ``depth``, or other entries of the configuration.

    Raises:
        ValueError: If the model keeps no configuration, or one that does not take the sizes; or if
            its class takes more than that, or refuses it.
    """
    for name in sizes:
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is no name of a size: give the base as {{'width': 256}}")
    config = _configuration(model)
    if config is None:
        raise ValueError(
            f"{type(model).__name__} keeps no configuration that could take the sizes "
            f"{', '.join(sizes)}: give the base as a model or as a factory of one"
        )
    more = [model.multipliers] if hasattr(model, "multipliers") else []
    wanted = resized_config(config, sizes)
    with (
        refusing(
            f"{type(model).__name__} is not made from its configuration with {named_sizes(sizes)} "
            "alone",
            "give the base as a model or as a factory of one",
        ),
        torch.device("meta"),
    ):
        return type(model)(wanted, *more)


def rebuilder(model: nn.Module) -> Callable[[], nn.Module] | None:
    """What makes a model anew, with memory, from its configuration; None if it keeps none."""
    config = _configuration(model)
    if config is None:
        return None
    more = [model.multipliers] if hasattr(model, "multipliers") else []
    return lambda: type(model)(config, *more)


def _configuration(model: nn.Module) -> DataclassInstance | OfHuggingFace | None:
    config = getattr(model, "shape", None) or getattr(model, "config", None)
    known = is_dataclass(config) or hasattr(config, "to_dict")
    return config if known else None


def resized_config(config: DataclassInstance | OfHuggingFace, sizes: Mapping[str, int]) -> object:
    """A copy of a configuration at other sizes, with attention heads of the same dimension.

    Heads, key-value heads and the MLP's width change in proportion to the width where they are not
    among the sizes. What a configuration of Hugging Face derives from its sizes, such as
    ``head_dim`` or ``layer_types``, its class derives anew. Another list with an entry a block,
    whatever its name, goes on with its period: the shortest beginning that gives the list when it
    is repeated.

    Args:
        config: A dataclass, or a configuration of Hugging Face.
        sizes: As of :func:`resized`.

    Raises:
        ValueError: If an entry is unknown, not a positive integer, a number of heads would not be
            whole, a list of blocks has no period, or the configuration refuses the sizes.
    """
    own = config.to_dict() if hasattr(config, "to_dict") else asdict(config)
    if (part := _part_of_text(config, sizes, own)) is not None:
        whole = copy.deepcopy(config)
        setattr(whole, part, resized_config(getattr(config, part), sizes))
        return whole
    aliases = getattr(config, "attribute_map", {})  # of Hugging Face: general names to its own
    changed = {aliases.get(name, own_name(name, own)): size for name, size in sizes.items()}
    for name, size in changed.items():
        if name not in own:
            known = ", ".join(k for k, v in own.items() if type(v) is int and "token" not in k)
            raise ValueError(f"{type(config).__name__} has no size {name!r}: choose among {known}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} is {size!r}: it must be an integer of at least 1")
    grown = followers(own, changed, aliases)
    with refusing(f"{type(config).__name__} refuses {named_sizes(changed)}", passing=(Unfit,)):
        if hasattr(config, "to_dict"):
            return _anew(type(config), own, changed | grown)
        wanted = _for_blocks(own | changed | grown, own, changed)
        return replace(config, **{k: v for k, v in wanted.items() if v != own[k]})


def _part_of_text(config: object, sizes: Mapping[str, int], own: Mapping[str, Any]) -> str | None:
    """The part of a configuration of several models that has the sizes, if the whole has none."""
    known = {*own, *getattr(config, "attribute_map", {})}
    if any(own_name(name, own) in known for name in sizes):
        return None
    parts = ("text_config", "decoder", "llm_config")
    return next((part for part in parts if hasattr(getattr(config, part, None), "to_dict")), None)


def _anew(kind: type, own: Mapping[str, Any], changed: Mapping[str, Any]) -> object:
    """A configuration of Hugging Face that is told only what its class would not come to itself.

    So what it derives is derived from the new sizes. Lists are looked at last: most of them follow
    from other entries.
    """
    sizes = {name: own[name] for name in changed}
    kept: dict[str, Any] = {}
    for lists in (False, True):
        derived = _derived(kind, sizes | kept)
        kept |= {
            name: value
            for name, value in own.items()
            if name not in sizes and derived.get(name) != value and isinstance(value, list) <= lists
        }
    for name in list(kept):  # told the others, the class may come to it after all
        others = {other: value for other, value in kept.items() if other != name}
        if _derived(kind, sizes | others).get(name) == own[name]:
            kept = others
    runs = {name: value for name, value in own.items() if _told_in_runs(value) is not None}
    return kind(**_for_blocks({**runs, **kept, **changed}, own, changed))


def _derived(kind: type, entries: dict[str, Any]) -> dict[str, Any]:
    try:
        return kind(**entries).to_dict()
    except Exception:  # a class that refuses so little is told all
        return {}


def _for_blocks(
    entries: Mapping[str, Any], own: Mapping[str, Any], changed: Mapping[str, Any]
) -> dict[str, Any]:
    """The entries, with lists of an entry a block made for as many blocks as there will be."""
    depth = own_name("depth", own)
    before, now = own.get(depth), changed.get(depth, own.get(depth))

    def fit(name: str, value: Any) -> Any:
        if _told_in_runs(value) == before != now:
            return [[_periodic(name, [k for kinds, n in value for k in kinds * n], now), 1]]
        is_list = isinstance(value, list | tuple) and "token" not in name
        return _periodic(name, value, now) if is_list and len(value) == before != now else value

    return {name: fit(name, value) for name, value in entries.items()}


def _told_in_runs(value: Any) -> int | None:
    """Number of blocks in a list of kinds with how often they follow one another; None for others.

    GPT-Neo has such a one: ``[[["global", "local"], 12]]``.
    """
    runs = value if isinstance(value, list | tuple) and value else [None]
    if not all(isinstance(run, list | tuple) and len(run) == 2 for run in runs):
        return None
    if not all(isinstance(kinds, list) and isinstance(n, int) for kinds, n in runs):
        return None
    return sum(len(kinds) * n for kinds, n in runs)


def _periodic(name: str, values: list | tuple, count: int) -> list | tuple:
    """As many values, in the shortest period that gives the known ones."""
    for period in range(1, len(values)):
        if all(value == values[i % period] for i, value in enumerate(values)):
            return type(values)(values[i % period] for i in range(count))
    raise Unfit(
        f"{name} is a list of {len(values)} blocks without a period, so it does not say what "
        f"{count} blocks are: give the base as a model or as a factory of one"
    )
