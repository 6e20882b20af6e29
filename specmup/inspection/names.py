"""Parameters by name, whatever a model is wrapped in.

Compiling, sharding and checkpointing put a module around a module, and so a word into every name. A
word is left out only where it names a module that holds all parameters of the one around it, so two
parameters never come to share a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from torch import nn

# Words that wrapping puts into names: anywhere, or before them all.
ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
IN_FRONT = ("module", "_forward_module", "_original_module")


def modules_by_name(model: nn.Module) -> dict[str, nn.Module]:
    """The modules by their names without wrappers; the innermost of those with one name."""
    return {name: module for name, module in _named(model)}


def parameters_by_name(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters by their names without wrappers; a tied one under its first name."""
    seen: dict[nn.Parameter, str] = {}
    for name, parameter in all_parameters(model):
        seen.setdefault(parameter, name)
    return {name: parameter for parameter, name in seen.items()}


def all_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Every name of every parameter, without wrappers, in the order of the modules."""
    for path, module in _named(model):
        for leaf, parameter in module._parameters.items():
            if parameter is not None:
                yield f"{path}.{leaf}" if path else leaf, parameter


def _named(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    yield path, model
    for word, child in model._modules.items():
        if child is not None:
            inner = f"{path}.{word}" if path else word
            yield from _named(child, path if _wraps(model, word, child, path) else inner)


def _wraps(outer: nn.Module, word: str, child: nn.Module, path: str) -> bool:
    if word not in ANYWHERE and (path or word not in IN_FRONT):
        return False
    return {*map(id, outer.parameters())} == {*map(id, child.parameters())}


def canonical(name: str) -> str:
    """A name without what wrappers may have put into it."""
    words = [word for word in name.split(".") if word not in ANYWHERE]
    while words and words[0] in IN_FRONT:
        del words[0]
    return ".".join(words)


def weights_beside(bias: str) -> tuple[str, ...]:
    """Names of the weight in the module of a bias, also of what torch makes it of."""
    module = bias.removesuffix("bias")
    made = f"{module}parametrizations.weight.original"
    return f"{module}weight", made, f"{made}0", f"{module}weight_orig"


def spellings(name: str) -> Iterator[str]:
    """A name, then without wrappers, then without a trainer's word for the model."""
    yield name
    yield canonical(name)
    yield canonical(name).removeprefix("model.")


def known_by(names: Iterable[str], known: Iterable[str]) -> Mapping[str, str]:
    """From names to known ones, where all differ by one prefix; as they are where that fails.

    So a plan for a model fits a module of a trainer that holds the model as ``model``, and the
    other way round.
    """
    names, known = list(names), set(known)
    for prefix in _prefixes(names):
        if all(name.removeprefix(prefix) in known for name in names):
            return {name: name.removeprefix(prefix) for name in names}
    for prefix in _prefixes(known):
        if all(f"{prefix}{name}" in known for name in names):
            return {name: f"{prefix}{name}" for name in names}
    return {name: name for name in names}


def _prefixes(names: Iterable[str]) -> list[str]:
    """What all names begin with, module by module: '', 'model.', 'model.net.'."""
    found, paths = [""], [name.split(".")[:-1] for name in names]
    for words in zip(*paths, strict=False):
        if len(set(words)) > 1:
            break
        found.append(f"{found[-1]}{words[0]}.")
    return found


def abbreviated(names: Iterable[str], limit: int = 4) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
