"""What operations give where tensors have no memory: their sizes, asked of torch once.

Torch works such sizes out in Python, which takes longer than a small operation does on numbers;
and a network asks for the same ones in every block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from specmup.tracing.records import leaves

KEPT = 4096  # answers, the last that were asked for


@dataclass(frozen=True)
class Sized:
    """A tensor without memory, told by what an operation can see of it."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Sized | None:
        """What a tensor is told by; None where there may be more to it."""
        plain = type(tensor) in (Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
        if not (plain and tensor.is_meta) or tensor.is_conj() or tensor.is_neg():
            return None
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype)

    def tensor(self) -> Tensor:
        """A new one."""
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")


class _Unkept(Exception):
    """An answer that depends on more than sizes."""


def sized(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What an operation gives for tensors without memory.

    Args:
        func: The operation, as torch dispatches it.
        args: Its arguments, nested; all their tensors are without memory.
        kwargs: Likewise.
    """
    if _makes_new_memory(func):
        try:
            return _tree(_answer(func, _key([list(args), dict(kwargs)])))
        except _Unkept:
            pass
    return func(*args, **kwargs)


@cache
def _makes_new_memory(func: Any) -> bool:
    """Whether an operation writes to no argument and gives no view of one, by its schema."""
    return not any(a.alias_info for a in (*func._schema.arguments, *func._schema.returns))


@lru_cache(KEPT)
def _answer(func: Any, key: Any) -> Any:
    args, kwargs = _tree(key)
    out = func(*args, **kwargs)
    given = {t.untyped_storage()._cdata for t in leaves([args, kwargs], Tensor)}
    if any(t.untyped_storage()._cdata in given for t in leaves(out, Tensor)):
        raise _Unkept  # a view that its schema does not tell
    return _key(out)


def _key(tree: Any) -> Any:
    """Nested arguments as one that can be looked up; 1, 1.0 and True are not the same."""
    if isinstance(tree, Tensor):
        if (told := Sized.of(tree)) is None:
            raise _Unkept
        return told
    if isinstance(tree, list | tuple):
        return type(tree), tuple(map(_key, tree))
    if isinstance(tree, dict):
        return dict, tuple((name, _key(value)) for name, value in tree.items())
    try:
        hash(tree)
    except TypeError:
        raise _Unkept from None
    return type(tree), tree


def _tree(key: Any) -> Any:
    """The nested arguments of such a key, with new tensors."""
    if isinstance(key, Sized):
        return key.tensor()
    kind, held = key
    if kind is dict:
        return {name: _tree(value) for name, value in held}
    return kind(map(_tree, held)) if issubclass(kind, list | tuple) else held
