"""GPUs that a processor plays: what runs on CUDA runs here, with real numbers and CUDA's rules.

A tensor on a simulated GPU says that it is on ``cuda:i`` and keeps its numbers in ordinary memory.
The processor computes every operation, so losses are a CPU's to the last bit; but, as on CUDA,

- operands must be on one device, apart from single numbers and indices of the CPU's;
- a copy to a GPU runs by itself out of pinned memory only, and all others are waited for;
- each GPU has so much memory, and what does not fit raises ``torch.OutOfMemoryError``.

Kernels and their rounding, streams and autocast are not played. Torch counts its devices at a
process's first backward pass, so :func:`simulated` must come before it: take a process of its own.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

aten = torch.ops.aten
INSIDE = "simulated"  # the device to torch's C++, which lets nobody else be cuda
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXED = (aten.index.Tensor, aten.index_put_.default)
PINNING = (aten.is_pinned.default, aten._pin_memory.default)


class Gpus:
    """What the GPUs of a process hold and have done.

    Args:
        count: How many.
        memory: Bytes of each.
    """

    def __init__(self, count: int, memory: float) -> None:
        self.count, self.memory = count, memory
        self.held, self.peak, self.operations = ([0] * count for _ in range(3))
        self.copies: Counter[str] = Counter()  # from the CPU
        self.chosen: list[str] = []  # by torch.cuda.set_device
        self.last = 0  # that computed, where torch's C++ makes its constants
        self._users: Counter[tuple[int, int]] = Counter()  # of a storage, by GPU and address

    def hold(self, tensor: OnGpu) -> None:
        """Count a tensor's memory, once a storage, until nobody uses it any more."""
        index, storage = tensor.index, tensor.raw.untyped_storage()
        key, size = (index, storage.data_ptr()), storage.nbytes()
        if not self._users[key]:
            if self.held[index] + size > self.memory:
                raise torch.OutOfMemoryError(
                    f"CUDA out of memory. Tried to allocate {size} bytes. GPU {index} has "
                    f"{self.memory:.0f}, of which {self.held[index]} are in use."
                )
            self.held[index] += size
            self.peak[index] = max(self.peak[index], self.held[index])
        self._users[key] += 1
        weakref.finalize(tensor, self._release, key, size)

    def _release(self, key: tuple[int, int], size: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            self.held[key[0]] -= size


class OnGpu(torch.Tensor):
    """A tensor on a simulated GPU; ``raw`` has its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: torch.Tensor, index: int, gpus: Gpus) -> OnGpu:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=f"{INSIDE}:0",  # of which torch's engine has one, whichever GPU it is to us
        )
        made.raw, made.index, made.gpus = raw, index, gpus
        gpus.hold(made)
        return made

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", self.index)

    def tolist(self) -> list:  # which torch refuses to classes that it does not know
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol):  # as what is loaded onto the CPU, like a checkpoint
        return self.raw.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        gpus = next(t for t in tree_leaves((args, kwargs)) if isinstance(t, OnGpu)).gpus
        return _computed(gpus, func, args, kwargs or {})


class _Dispatch(TorchDispatchMode):
    """Sees what makes a tensor on a GPU out of nothing, or out of one of the CPU's."""

    def __init__(self, gpus: Gpus) -> None:
        super().__init__()
        self.gpus = gpus

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _computed(self.gpus, func, args, kwargs or {})


def _computed(gpus: Gpus, func, args, kwargs):
    """One operation: done by the processor, under the rules of a GPU."""
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    if func in PINNING:
        return _pinned(func, tensors[0])
    index = _destination(gpus, func, tensors, kwargs.get("device"))
    if func not in COPIES:
        _refuse_mixtures(func, tensors)
    elif index is not None and not isinstance(tensors[-1], OnGpu):
        by_itself = kwargs.get("non_blocking", False) and hasattr(tensors[-1], "pinned")
        gpus.copies["pinned" if by_itself else "waited for"] += 1
    own = {id(t.raw): t for t in tensors if isinstance(t, OnGpu)}
    args, kwargs = tree_map(lambda v: v.raw if isinstance(v, OnGpu) else v, (args, kwargs))
    if kwargs.get("device") is not None and index is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    with torch._C._DisableTorchDispatch():
        result = func(*args, **kwargs)
    if index is None:
        return result
    gpus.operations[index] += 1
    gpus.last = index

    def on_gpu(value):
        if not isinstance(value, torch.Tensor):
            return value
        return own[id(value)] if id(value) in own else OnGpu(value, index, gpus)

    return tree_map(on_gpu, result)


def _destination(gpus: Gpus, func, tensors, told) -> int | None:
    """The GPU that an operation's result is on; None if it is on the CPU."""
    if told is not None:
        device = torch.device(told)
        if device.type == INSIDE:
            return gpus.last
        return (device.index or 0) if device.type == "cuda" else None
    where = tensors[:1] if func is aten.copy_.default else tensors
    return next((t.index for t in where if isinstance(t, OnGpu)), None)


def _refuse_mixtures(func, tensors) -> None:
    """As CUDA does; its fused steps take not even single numbers from the CPU."""
    on = {t.index for t in tensors if isinstance(t, OnGpu)}
    strict = "fused" in func.name()
    beside = [t for t in tensors if not isinstance(t, OnGpu) and (t.ndim or strict)]
    if len(on) > 1 or (on and beside and func not in INDEXED):
        found = sorted({f"cuda:{i}" for i in on} | {str(t.device) for t in beside})
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found {' and '.join(found)} "
            f"in {func.name()}"
        )


def _pinned(func, tensor: torch.Tensor):
    if func is aten.is_pinned.default:
        return hasattr(tensor, "pinned")
    with torch._C._DisableTorchDispatch():
        copy = tensor.clone()
    copy.pinned = True
    return copy


@cache
def _register() -> None:
    _setup_privateuseone_for_python_backend(INSIDE, backend_module=_DummyBackendModule())


@contextmanager
def pretended(gpus: Gpus) -> Iterator[Gpus]:
    """Let ``torch.cuda`` tell of these GPUs in the block; nothing computes on them yet."""
    properties = SimpleNamespace(total_memory=gpus.memory)
    answers = {
        "is_available": lambda: True,
        "device_count": lambda: gpus.count,
        "set_device": lambda device: gpus.chosen.append(str(device)),
        "get_device_name": lambda device=0: f"simulated GPU {torch.device(device).index}",
        "get_device_properties": lambda device: properties,
        "_lazy_init": lambda: None,
    }
    with patch.multiple(torch.cuda, **answers):
        yield gpus


@contextmanager
def simulated(count: int = 2, memory: float = math.inf) -> Iterator[Gpus]:
    """Let so many GPUs be there in the block, each with so many bytes."""
    _register()
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…, device=…) would go past the mode
    try:
        with pretended(Gpus(count, memory)) as gpus, _Dispatch(gpus):
            yield gpus
    finally:
        torch._C._set_only_lift_cpu_tensors(before)
