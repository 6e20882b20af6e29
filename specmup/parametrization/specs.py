"""What a model is made of, by name: its blocks, its parameters, which of them are one tensor.

Reads shapes and classes only, so a model on the meta device will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

# What compiling, wrapping and checkpointing put into names.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


@dataclass(frozen=True)
class ParamSpec:
    """Parameters that do the same: one outside the blocks, or the same one of every block.

    Args:
        pattern: The name, with ``*`` for the number of the block.
        names: All names, block by block.
        aliases: Other names of the same tensors: tied weights.
        shape: Of each.
        module: Class of that module.
        blocks: Name of the list of blocks in which it stands; None outside.
        contracted: The dimension over which the forward pass sums, where that was seen.
        multiplies: Whether the forward pass was seen to multiply by it.
    """

    pattern: str
    names: tuple[str, ...]
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    module: type[nn.Module]
    blocks: str | None
    contracted: int | None = None
    multiplies: bool = False

    @property
    def is_gain(self) -> bool:
        """Whether it is the gain of a normalisation."""
        return self.multiplies or (self.in_norm and self.pattern.endswith("weight"))

    @property
    def in_norm(self) -> bool:
        """Whether it belongs to a normalisation, by the name of the class."""
        return "Norm" in self.module.__name__

    @property
    def is_vector(self) -> bool:
        """Whether it is a bias, a gain or has one dimension; biases of stacked maps have more."""
        return self.is_gain or self.pattern.endswith("bias") or len(self.shape) <= 1

    @property
    def stacked(self) -> bool:
        """Whether one tensor holds the maps, or biases, of all blocks."""
        several = len(self.shape) > (1 if self.is_vector else 2)
        return self.blocks is None and several and not issubclass(self.module, _ConvNd)

    @property
    def transposed(self) -> bool:
        """Whether it is stored as (n_in, n_out): Hugging Face's Conv1D, transposed convolutions."""
        if self.contracted is not None:
            return self.contracted == len(self.shape) - 2
        return self.module.__name__ == "Conv1D" or "ConvTranspose" in self.module.__name__

    @property
    def oriented(self) -> bool:
        """Whether the forward pass, or the module's class, tells the dimension of the inputs."""
        known = (nn.Linear, nn.MultiheadAttention, _ConvNd)
        return self.contracted is not None or self.transposed or issubclass(self.module, known)

    def fans(self, *, one_hot: bool = False) -> tuple[int, int]:
        """(fan_out, fan_in); fan_in is 1 for vectors and for one-hot inputs."""
        shape = self.shape or (1,)
        if self.is_vector or one_hot:
            return shape[-1], 1
        if issubclass(self.module, _ConvNd):
            out, into, kernel = shape[0], shape[1], prod(shape[2:])
        else:
            out, into, kernel = shape[-2], shape[-1], 1  # leading dimensions stack maps
        return (into, out * kernel) if self.transposed else (out, into * kernel)


@dataclass(frozen=True)
class ModelSpec:
    """A model's parameters in order, by pattern, and how many blocks each list holds."""

    params: Mapping[str, ParamSpec]
    depths: Mapping[str, int]


def canonical(name: str) -> str:
    """A parameter's name without what wrappers added to it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name.removeprefix("module.")


def abbreviated(names: Iterable[str], limit: int = 4) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def parameters_by_name(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters by their names without wrappers; a tied one under its first name."""
    return {canonical(name): p for name, p in model.named_parameters()}


def spec_of(model: nn.Module) -> ModelSpec:
    """Take a model apart.

    Raises:
        ValueError: If the same parameter has different shapes in two blocks, or blocks share one.
    """
    depths = {canonical(f"{path}.")[:-1]: len(blocks) for path, blocks in block_lists(model)}
    everywhere = model.named_modules(remove_duplicate=False)
    modules = {canonical(f"{path}.")[:-1]: type(module) for path, module in everywhere}
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(canonical(name))
    found: dict[str, list[tuple[str, list[str], torch.Size]]] = {}
    for parameter, several in names.items():
        # Of a tied tensor's names the embedding's counts, whichever comes first in the model.
        embedded = [n for n in several if issubclass(modules[n.rpartition(".")[0]], nn.Embedding)]
        first = (embedded or several)[0]
        others = [name for name in several if name != first]
        found.setdefault(_pattern(first, depths), []).append((first, others, parameter.shape))
    params = {key: _spec(key, same, modules, depths) for key, same in found.items()}
    return ModelSpec(params, depths)


def block_lists(model: nn.Module) -> Iterator[tuple[str, list[nn.Module]]]:
    """Outermost lists of modules whose elements' parameters have the same names, with their paths.

    A list is any module whose children are numbered: ``nn.ModuleList``, ``nn.Sequential``.
    """
    inside: list[str] = []
    for path, module in model.named_modules(remove_duplicate=False):
        if any(path.startswith(f"{outer}.") for outer in inside):
            continue
        children = module._modules  # named_children would leave out a block that is used twice
        if not children or not all(name.isdigit() for name in children):
            continue
        names = [{canonical(n) for n, _ in c.named_parameters()} for c in children.values()]
        if names[0] and all(n == names[0] for n in names):
            inside.append(path)
            yield path, list(children.values())


def _pattern(name: str, depths: Mapping[str, int]) -> str:
    for path in depths:
        prefix = f"{path}." if path else ""
        rest = name.removeprefix(prefix)
        if name.startswith(prefix) and rest.split(".")[0].isdigit():
            return f"{prefix}*.{rest.split('.', 1)[1]}"
    return name


def _spec(
    pattern: str,
    same: list[tuple[str, list[str], torch.Size]],
    modules: Mapping[str, type[nn.Module]],
    depths: Mapping[str, int],
) -> ParamSpec:
    firsts, aliases, shapes = zip(*same, strict=True)
    if len(set(shapes)) > 1:
        raise ValueError(
            f"{pattern} has shapes {', '.join(sorted({str(tuple(s)) for s in shapes}))}: "
            "a plan needs blocks of one shape; put the residual blocks alone into an nn.ModuleList"
        )
    blocks = next((p for p in depths if pattern.startswith(f"{p}.*." if p else "*.")), None)
    if blocks is not None and len(firsts) != depths[blocks]:
        raise ValueError(
            f"{pattern} is one tensor in several of the {depths[blocks]} blocks: the rules hold "
            "for blocks with weights of their own; untie them"
        )
    owner = firsts[0].rpartition(".")[0]
    others = tuple(name for names in aliases for name in names)
    return ParamSpec(pattern, firsts, others, tuple(shapes[0]), modules[owner], blocks)
