"""One forward pass as data: its operations, in order, with what flows between them.

Parameters stand on the meta device and have no memory, so a model of any size is traced in the time
that its operations take to be called. What depends on no parameter (positions, masks, scales) is
computed for real, so that its numbers are known and may steer the forward pass; where a value that
depends on parameters steers it, as in routing to experts, an answer is made up and said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from specmup.tracing.copies import without_memory


@dataclass(frozen=True, eq=False)
class Value:
    """One tensor at one moment; writing into a tensor makes another value of it.

    Args:
        index: Values are numbered as they arise.
        shape: Of the tensor.
        strides: Of the tensor, in entries; views of a parameter tell by them which dimension is
            which.
        number: The one entry, where it has one and depends on no parameter; else None.
    """

    index: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    number: float | None = None

    def __repr__(self) -> str:
        """As in ``%7(2, 64)``."""
        return f"%{self.index}{self.shape}"


@dataclass(frozen=True, eq=False)
class Op:
    """One operation of ATen.

    Args:
        name: As in ``mul.Tensor``.
        args: What it was called with: values, numbers, lists of either.
        options: What it was called with by name.
        outputs: The values that it made.
        module: Path of the module whose forward pass called it; for messages.
    """

    name: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    outputs: tuple[Value, ...]
    module: str

    @property
    def kind(self) -> str:
        """The name without its overload, and without the mark of writing in place: ``mul``."""
        return self.name.partition(".")[0].removesuffix("_")

    @cached_property
    def inputs(self) -> tuple[Value, ...]:
        """The values among the arguments, in order."""
        return tuple(_values([self.args, *self.options.values()]))

    def __repr__(self) -> str:
        """As in ``%7(2, 64) = mul.Tensor(%5(2, 64), 0.5)  in blocks.0``."""
        told = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.options.items())]
        made = ", ".join(map(repr, self.outputs))
        return f"{made} = {self.name}({', '.join(told)})  in {self.module}"


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass.

    Args:
        ops: In the order in which they were called.
        parameters: Name by value; a tied parameter goes by its first name.
        buffers: Name by value.
        inputs: The example's tensors.
        outputs: The tensors that the model returned.
        made_up: Names of the operations whose answer depends on parameters and was made up.
    """

    ops: tuple[Op, ...]
    parameters: Mapping[Value, str]
    buffers: Mapping[Value, str]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    made_up: tuple[str, ...] = ()

    @cached_property
    def producer(self) -> dict[Value, Op]:
        """The operation that made a value; parameters, buffers and inputs have none."""
        return {value: op for op in self.ops for value in op.outputs}

    @cached_property
    def consumers(self) -> dict[Value, list[Op]]:
        """The operations that read a value."""
        found: dict[Value, list[Op]] = {}
        for op in self.ops:
            for value in dict.fromkeys(op.inputs):
                found.setdefault(value, []).append(op)
        return found

    @cached_property
    def live(self) -> frozenset[Value]:
        """The values on which the outputs depend."""
        found = set(self.outputs)
        for op in reversed(self.ops):
            if not found.isdisjoint(op.outputs):
                found.update(op.inputs)
        return frozenset(found)


def trace(
    model: nn.Module,
    args: Sequence[Any] = (),
    options: Mapping[str, Any] | None = None,
    *,
    computes: bool = True,
) -> Trace:
    """Run a model once in evaluation mode, without memory for its parameters, and record it.

    Works for models with memory and on the meta device; the model itself is not touched.

    Args:
        model: Any module.
        args: The example input, as the model is called with it.
        options: Arguments by name.
        computes: Compute what depends on no parameter; if not, its numbers are not known either.
            A few modules, such as ``nn.LSTM``, refuse inputs that have memory beside parameters
            that have none.

    Raises:
        Exception: Whatever the model raises on this input.

    >>> found = trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), [torch.zeros(5, 3)])
    >>> [op.kind for op in found.ops], found.outputs
    (['t', 'addmm', 'relu'], (%5(5, 2),))
    """
    copy = without_memory(model).eval()
    recorder = _Recorder(computes)
    options = dict(options or {})
    if not computes:
        copy = copy.to("meta")
        args, options = _replaced([list(args), options], _to_meta)
    named = {recorder.value(p): name for name, p in copy.named_parameters()}
    buffers = {recorder.value(b): name for name, b in copy.named_buffers()}
    given = tuple(recorder.value(t) for t in _tensors([args, options]))
    for path, module in copy.named_modules():
        _follow(module, path, recorder.path)
    with torch.no_grad(), recorder:
        out = copy(*args, **options)
    outputs = tuple(recorder.value(t) for t in dict.fromkeys(_tensors(out)))
    return Trace(tuple(recorder.ops), named, buffers, given, outputs, tuple(recorder.made_up))


def _follow(module: nn.Module, path: str, inside: list[str]) -> None:
    """Keep the path of the module that runs at the end of a list."""

    def enter(*_: Any) -> None:
        inside.append(path)

    def leave(*_: Any) -> None:
        inside.pop()

    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave)


@dataclass
class _Known:
    """A tensor, kept so that its identity is not used again, and its present value."""

    tensor: Tensor
    value: Value
    written: int  # how often its storage had been written when the value arose


class _Recorder(TorchDispatchMode):
    """Records every operation; lets parameters and what depends on them be without memory."""

    def __init__(self, computes: bool) -> None:
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
        name = func.name().partition("::")[2]
        name = name if "." in name else f"{name}.default"
        kwargs = dict(kwargs or {})
        seen = _replaced(args, self.value), _replaced(kwargs, self.value)
        out = self._run(func, name, args, kwargs)
        made = tuple(_tensors(out))
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
        tensors = list(_tensors([args, kwargs]))
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
        sized = {id(t): t if t.is_meta else _to_meta(t) for t in tensors}
        args, kwargs = (_replaced(given, lambda t: sized[id(t)]) for given in (args, kwargs))
        if name.startswith("_grouped_mm"):
            # Without memory torch has it for bfloat16 alone.
            wanted = args[0].dtype
            args = (*(a.to(torch.bfloat16) for a in args[:2]), *args[2:])
            return func(*args, **kwargs).to(wanted)
        return func(*args, **kwargs)


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


def _to_meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors in nested arguments or outputs, in order."""
    yield from _leaves(tree, Tensor)


def _values(tree: Any) -> Iterator[Value]:
    yield from _leaves(tree, Value)


def _leaves(tree: Any, kind: type) -> Iterator[Any]:
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, Mapping) or is_dataclass(tree):
        for one in (tree if isinstance(tree, Mapping) else vars(tree)).values():
            yield from _leaves(one, kind)
    elif isinstance(tree, list | tuple):
        for one in tree:
            yield from _leaves(one, kind)


def _replaced(tree: Any, by) -> Any:
    """The same nested arguments with every tensor replaced."""
    if isinstance(tree, Tensor):
        return by(tree)
    if isinstance(tree, list | tuple):
        return type(tree)(_replaced(one, by) for one in tree)
    if isinstance(tree, dict):
        return {key: _replaced(one, by) for key, one in tree.items()}
    return tree
