"""A forward pass as data: values, the operations between them, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any


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
        return tuple(leaves([self.args, *self.options.values()], Value))

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


def reached(starts: Iterable[Value], onward: Callable[[Value], Iterable[Value]]) -> Iterator[Value]:
    """Every value to which steps lead from some, each once, these included.

    Args:
        starts: Where to begin.
        onward: From a value to those of the next step.
    """
    following = list(dict.fromkeys(starts))
    seen = set(following)
    while following:
        value = following.pop()
        yield value
        new = set(onward(value)) - seen
        following.extend(new)
        seen |= new


def leaves(tree: Any, kind: type) -> Iterator[Any]:
    """All of one kind in nested arguments or outputs, in order."""
    if isinstance(tree, kind):
        yield tree
    elif isinstance(tree, Mapping) or is_dataclass(tree):
        for one in (tree if isinstance(tree, Mapping) else vars(tree)).values():
            yield from leaves(one, kind)
    elif isinstance(tree, list | tuple):
        for one in tree:
            yield from leaves(one, kind)
