"""Lists of blocks in a model, and one name for the same parameter of all blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from torch import nn

from specmup.inspection.names import all_parameters, modules_by_name

Shape = tuple[int, ...]


def block_lists(model: nn.Module) -> Iterator[tuple[str, list[nn.Module]]]:
    """Outermost lists of blocks, with their paths: ``nn.ModuleList``, numbered ``nn.Sequential``.

    A list is any module whose children are numbered. They are blocks if their parameters have the
    same names and shapes; or if most hold one that has, so that a first, a last or every third may
    be of another kind.
    """
    inside: list[str] = []
    for path, module in modules_by_name(model).items():
        if any(path.startswith(f"{outer}.") or not outer for outer in inside):
            continue
        # named_children would leave out a block that is used twice
        blocks = [child for child in module._modules.values() if child is not None]
        if is_list(module) and _are_blocks(blocks):
            inside.append(path)
            yield path, blocks


def is_list(module: nn.Module) -> bool:
    """Whether a module's children are numbered."""
    return bool(module._modules) and all(name.isdigit() for name in module._modules)


def _are_blocks(modules: list[nn.Module]) -> bool:
    held = [{(name, tuple(p.shape)) for name, p in all_parameters(m)} for m in modules]
    if not all(held):
        return False
    if all(one == held[0] for one in held):
        return True
    # Layers in a row have like names, too; blocks are made of modules.
    if not all(any("." in name for name, _ in one) for one in held):
        return False
    common = Counter(pair for one in held for pair in one)
    return max(common.values()) > len(modules) / 2


def in_list(name: str, depths: Mapping[str, int]) -> tuple[str, int, str] | None:
    """The list, the number of the block and the rest of a name; None outside the lists."""
    for path in depths:
        prefix = f"{path}." if path else ""
        number, _, rest = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and number.isdigit() and rest:
            return path, int(number), rest
    return None


def joined(*words: str) -> str:
    """A name out of its parts, of which some may be empty."""
    return ".".join(word for word in words if word)


def patterns(shapes: Mapping[str, Shape], depths: Mapping[str, int]) -> dict[str, list[str]]:
    """Names by pattern.

    The same parameter of all blocks has one pattern, with ``*`` for the number of the block. Where
    it has several shapes, as in a first block or every third, it is ``*`` for the shape that comes
    first, ``*2`` for the next, so that patterns do not depend on the number of blocks.
    """
    kinds = {
        place: list(dict.fromkeys(there)) for place, there in _in_lists(shapes, depths).items()
    }
    found: dict[str, list[str]] = {}
    for name, shape in shapes.items():
        pattern = name
        if (place := in_list(name, depths)) is not None:
            path, _, rest = place
            rank = kinds[path, rest].index(shape)
            pattern = joined(path, f"*{rank + 1}" if rank else "*", rest)
        found.setdefault(pattern, []).append(name)
    return found


def _in_lists(
    shapes: Mapping[str, Shape], depths: Mapping[str, int]
) -> dict[tuple[str, str], list[Shape]]:
    """Shapes by list and by name in a block, block by block."""
    found: dict[tuple[str, str], list[Shape]] = {}
    for name, shape in shapes.items():
        if (place := in_list(name, depths)) is not None:
            found.setdefault((place[0], place[2]), []).append(shape)
    return found
