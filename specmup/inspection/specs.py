"""What a model is made of, by name: its blocks, its parameters, which of them are one tensor.

Reads shapes and classes only, so a model on the meta device will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from torch import nn
from torch.nn.modules.conv import _ConvNd

from specmup.inspection.blocks import block_lists, in_list, is_list, joined, patterns
from specmup.inspection.names import all_parameters, modules_by_name
from specmup.tracing.dimensions import Layout

# What a gain is called in a normalisation; other vectors of one are biases by name, or unknown.
GAINS = ("weight", "gamma", "scale", "gain", "g", "a_2")


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
        count: Number of blocks in that list; 1 outside.
        in_norm: Whether its module is a normalisation: by the name of its class, and by holding
            no matrix.
        groups: Of a convolution: so many parts of the channels are mapped each for itself.
        layout: What its dimensions are to the map that it makes, where that was seen.
        multiplies: Whether the forward pass was seen to multiply by it.
        entrywise: Whether it was seen to act entry by entry in a block, whatever its shape.
        length_of: Of a length in torch's weight normalisation: the pattern of its direction; empty
            for all else.
    """

    pattern: str
    names: tuple[str, ...]
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    module: type[nn.Module]
    blocks: str | None
    count: int
    in_norm: bool
    groups: int = 1
    layout: Layout | None = None
    multiplies: bool = False
    entrywise: bool = False
    length_of: str = ""

    @property
    def is_gain(self) -> bool:
        """Whether it is the gain of a normalisation, of a weight's own too."""
        in_norm = self.in_norm and self.pattern.rpartition(".")[2] in GAINS
        return self.multiplies or in_norm or bool(self.length_of)

    @property
    def is_vector(self) -> bool:
        """Whether it is a gain, a bias (of stacked maps: with more dimensions) or a lone row."""
        named = self.in_norm or self.pattern.endswith("bias") or self.length_of
        return bool(named) or self.entrywise or len(self.shape) <= 1

    @property
    def stacked(self) -> bool:
        """Whether one tensor holds the maps, or biases, of all blocks."""
        several = len(self.shape) > 1 if self.is_vector else bool(self.stack)
        return self.blocks is None and several and not self.length_of

    @property
    def stack(self) -> tuple[int, ...]:
        """Sizes of a matrix's dimensions that count maps, such as those of experts."""
        if self.is_convolution:
            return ()
        if self.layout is None:
            return self.shape[:-2]
        used = {*self.layout.outputs, *self.layout.inputs}
        return tuple(size for d, size in enumerate(self.shape) if d not in used and size > 1)

    @property
    def transposed(self) -> bool:
        """Whether it is stored as (n_in, n_out): Hugging Face's Conv1D, transposed convolutions."""
        if self.layout is not None and not self.is_convolution:
            return len(self.shape) - 1 not in self.layout.inputs
        return self.module.__name__ == "Conv1D" or "ConvTranspose" in self.module.__name__

    @property
    def is_convolution(self) -> bool:
        """Whether its further dimensions are a kernel's."""
        return issubclass(self.module, _ConvNd)

    @property
    def oriented(self) -> bool:
        """Whether the forward pass, or the module's class, tells the dimension of the inputs."""
        known = (nn.Linear, nn.MultiheadAttention, _ConvNd)
        return self.layout is not None or self.transposed or issubclass(self.module, known)

    @property
    def alone(self) -> bool:
        """Whether only one block has it, though there are several."""
        return self.blocks is not None and len(self.names) == 1 < self.count

    def fans(self, *, one_hot: bool = False) -> tuple[int, int]:
        """(fan_out, fan_in); fan_in is 1 for vectors and for one-hot inputs.

        Of a convolution in groups, fan_out counts all channels, and fan_in those of one group.
        """
        shape = self.shape or (1,)
        if self.entrywise:
            return prod(shape), 1
        if self.is_vector and dimensions(shape) == 1:
            return max(shape), 1
        if self.is_vector or one_hot:
            return shape[-1], 1
        if self.layout is not None and not self.is_convolution:
            sides = self.layout.outputs, self.layout.inputs
            return prod(shape[d] for d in sides[0]), prod(shape[d] for d in sides[1])
        if self.is_convolution:
            first, second, kernel = shape[0], shape[1], prod(shape[2:])
            if self.transposed:  # (n_in, n_out of a group, …)
                return second * self.groups, first // self.groups * kernel
            return first, second * kernel
        out, into = shape[-2:]  # leading dimensions stack maps
        return (into, out) if self.transposed else (out, into)


def dimensions(shape: tuple[int, ...]) -> int:
    """How many dimensions of a shape are no mere 1."""
    return sum(size > 1 for size in shape)


@dataclass(frozen=True)
class ModelSpec:
    """A model's parameters in order, by pattern.

    Args:
        params: The parameters.
        depths: How many blocks each list holds.
        modules: Class of the module by its name.
        lists: How many elements every module has whose children are numbered.
    """

    params: Mapping[str, ParamSpec]
    depths: Mapping[str, int]
    modules: Mapping[str, type[nn.Module]]
    lists: Mapping[str, int]

    def module_of(self, name: str) -> type[nn.Module]:
        """Class of the module that holds a parameter."""
        return self.modules[name.rpartition(".")[0]]

    def starred(self, name: str) -> str:
        """A parameter's name with ``*`` for the number of its block."""
        place = in_list(name, self.depths)
        return name if place is None else joined(place[0], "*", place[2])


def spec_of(model: nn.Module) -> ModelSpec:
    """Take a model apart.

    Raises:
        ValueError: If blocks share a parameter.
    """
    modules = modules_by_name(model)
    kinds = {path: type(module) for path, module in modules.items()}
    norms = {path for path, module in modules.items() if _is_norm(module)}
    depths = {path: len(blocks) for path, blocks in block_lists(model)}
    numbered = {path: len(module._modules) for path, module in modules.items() if is_list(module)}
    names: dict[nn.Parameter, list[str]] = {}
    for name, parameter in all_parameters(model):
        several = names.setdefault(parameter, [])
        if name not in several:
            several.append(name)
    firsts: dict[str, tuple[list[str], tuple[int, ...]]] = {}
    for parameter, several in names.items():
        # Of a tied tensor's names the embedding's counts, whichever comes first in the model.
        embedded = [n for n in several if issubclass(kinds[n.rpartition(".")[0]], nn.Embedding)]
        first = (embedded or several)[0]
        others = [name for name in several if name != first]
        firsts[first] = others, tuple(parameter.shape)
    found = patterns({name: shape for name, (_, shape) in firsts.items()}, depths)
    params = {}
    for pattern, same in found.items():
        owner = same[0].rpartition(".")[0]
        user = owner.partition(".parametrizations.")[0]  # the module whose weight torch makes of it
        place = in_list(same[0], depths)
        params[pattern] = ParamSpec(
            pattern=pattern,
            names=tuple(same),
            aliases=tuple(alias for name in same for alias in firsts[name][0]),
            shape=firsts[same[0]][1],
            module=kinds[user],
            blocks=None if place is None else place[0],
            count=1 if place is None else depths[place[0]],
            in_norm=owner in norms,
            groups=module.groups if isinstance(module := modules[user], _ConvNd) else 1,
            length_of=_direction(pattern, modules[owner]),
        )
    spec = ModelSpec(params, depths, kinds, numbered)
    for param in params.values():
        _check_unshared(param, spec)
    return spec


def _is_norm(module: nn.Module) -> bool:
    """Whether it is a normalisation; a class that is called one but holds a matrix is none."""
    own = [p for p in module._parameters.values() if p is not None]
    return "Norm" in type(module).__name__ and all(dimensions(tuple(p.shape)) <= 1 for p in own)


def _direction(pattern: str, owner: nn.Module) -> str:
    """The direction of a length that torch's weight normalisation keeps; empty for all else."""
    hooks = owner._forward_pre_hooks.values()  # as torch did it before parametrisations
    for kinds, length, direction in (
        (owner.children(), "original0", "original1"),
        (hooks, "weight_g", "weight_v"),
    ):
        normalised = any(type(kind).__name__.removeprefix("_") == "WeightNorm" for kind in kinds)
        if normalised and pattern.endswith(f".{length}"):
            return pattern.removesuffix(length) + direction
    return ""


def _check_unshared(param: ParamSpec, spec: ModelSpec) -> None:
    for alias in param.aliases:
        if param.blocks is not None and spec.starred(alias) == spec.starred(param.names[0]):
            raise ValueError(
                f"{param.pattern} is one tensor in several of the {param.count} blocks: the rules "
                "hold for blocks with weights of their own; untie them"
            )
