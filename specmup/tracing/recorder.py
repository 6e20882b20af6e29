"""Records operations as they are called; computes only what depends on no parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from specmup.tracing.records import Op, Value, leaves
from specmup.tracing.sizes import sized
from specmup.tracing.written_out import written_out


@dataclass
class _Known:
    """A tensor, kept so that its identity is not used again, and its present value."""

    tensor: Tensor
    value: Value
    written: int  # how often its storage had been written when the value arose


class Recorder(TorchDispatchMode):
    """Records every operation; lets parameters and what depends on them be without memory.

    Args:
        computes: Whether what depends on no parameter is computed.
    """

    def __init__(self, computes: bool) -> None:
        """Begin with nothing recorded."""
        super().__init__()
        self.computes = computes
        self.ops: list[Op] = []
        self.path: list[str] = []
        self.made_up: dict[str, None] = {}
        self._count = 0
        self._known: dict[int, _Known] = {}
        self._writes: dict[int, tuple[int, Value]] = {}  # by storage: how many, and the last
        self._unknown: set[int] = set()  # storages with memory into which unknown values went

    def value(self, tensor: Tensor) -> Value:
        """The present value of a tensor; one that was never seen is a constant."""
        known = self._known.get(id(tensor))
        writes, last = self._writes.get(_storage(tensor), (0, None))
        if known is None:
            return self._new(tensor)
        if known.written != writes and last is not None:
            # Another view of the same memory was written to: this one depends on that.
            old = known.value
            new = self._new(tensor)
            self._record("written.alias", (old, last), {}, (new,))
        return self._known[id(tensor)].value

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run one operation, as far as it can be, and record it."""
        name = func.name().partition("::")[2]
        name = name if "." in name else f"{name}.default"
        kwargs = dict(kwargs or {})
        if (plain := written_out(name, args, kwargs)) is not None:
            into = kwargs.pop("out", args[0] if func._schema.is_mutable else None)
            with self:
                result = plain(*args, **kwargs)
                return result if into is None else into.copy_(result)
        seen = replaced(args, self.value), replaced(kwargs, self.value)
        out = self._run(func, name, args, kwargs)
        made = tuple(tensors_in(out))
        if func._schema.is_mutable:
            for tensor in made or args[:1]:
                count, _ = self._writes.get(_storage(tensor), (0, None))
                self._writes[_storage(tensor)] = count + 1, self._new(tensor, count + 1)
            outputs = tuple(self._known[id(t)].value for t in made or args[:1])
        else:
            outputs = tuple(self._new(tensor) for tensor in made)
        self._record(name, *seen, outputs)
        return out

    def _record(self, name, args, options, outputs) -> None:
        module = self.path[-1] if self.path else ""
        self.ops.append(Op(name, tuple(args), options, outputs, module))

    def _new(self, tensor: Tensor, written: int | None = None) -> Value:
        if written is None:
            written, _ = self._writes.get(_storage(tensor), (0, None))
        number = None
        if tensor.numel() == 1 and not self._sizes_only(tensor) and not tensor.is_complex():
            with torch._C._DisableTorchDispatch():
                number = float(tensor)
        value = Value(self._count, tuple(tensor.shape), tuple(tensor.stride()), number)
        self._count += 1
        self._known[id(tensor)] = _Known(tensor, value, written)
        return value

    def _sizes_only(self, tensor: Tensor) -> bool:
        return tensor.is_meta or _storage(tensor) in self._unknown

    def _run(self, func, name: str, args, kwargs):
        tensors = list(tensors_in([args, kwargs]))
        if not any(map(self._sizes_only, tensors)):
            if self.computes and _is_meta(kwargs.get("device")):
                # Made of nothing, or of what is known: it can be computed.
                kwargs["device"] = torch.device("cpu")
            return func(*args, **kwargs)
        if (answer := _made_up(name, args)) is not None:
            self.made_up[name] = None
            return answer
        if func._schema.is_mutable and not args[0].is_meta:
            self._unknown.add(_storage(args[0]))  # known no longer
            return args[0]
        if "device" in kwargs and kwargs["device"] is not None:
            kwargs["device"] = torch.device("meta")
        without = {id(t): t if t.is_meta else to_meta(t) for t in tensors}
        args, kwargs = (replaced(given, lambda t: without[id(t)]) for given in (args, kwargs))
        if name.startswith("_grouped_mm"):
            # Without memory torch has it for bfloat16 alone.
            wanted = args[0].dtype
            args = (*(a.to(torch.bfloat16) for a in args[:2]), *args[2:])
            return func(*args, **kwargs).to(wanted)
        return sized(func, args, kwargs)


def _made_up(name: str, args: Sequence[Any]) -> Any:
    """An answer to a question about values that are not known; None for any other operation."""
    if name.startswith("_local_scalar_dense"):
        dtype = args[0].dtype
        return False if dtype == torch.bool else 1.0 if dtype.is_floating_point else 0
    if name.startswith("nonzero"):
        rows = max(1, args[0].numel())
        return torch.empty(rows, args[0].dim(), dtype=torch.long, device="meta")
    if name.startswith("equal"):
        return False
    return None


def _is_meta(device: Any) -> bool:
    return device is not None and torch.device(device).type == "meta"


def to_meta(tensor: Tensor) -> Tensor:
    """A tensor of the same sizes without memory."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors in nested arguments or outputs, in order."""
    yield from leaves(tree, Tensor)


def replaced(tree: Any, by) -> Any:
    """The same nested arguments with every tensor replaced."""
    if isinstance(tree, Tensor):
        return by(tree)
    if isinstance(tree, list | tuple):
        return type(tree)(replaced(one, by) for one in tree)
    if isinstance(tree, dict):
        return {key: replaced(one, by) for key, one in tree.items()}
    return tree
