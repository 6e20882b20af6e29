"""What is followed in a model that is not known: its stream, attention logits and output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from specmup.inspection.blocks import block_lists

Features = dict[str, Tensor]


def followed(model: nn.Module, x: Tensor) -> Features:
    """What is followed, by name.

    ``last`` is the output of the last block, of the largest list of blocks that the pass goes
    through, ``attention`` the scaled logits qᵀk of the last call of PyTorch's attention, where
    there are such, and ``logits`` the model's output.
    """
    found: Features = {}
    with _returned_by_last_blocks(model) as returned, _AttentionLogits() as attention:
        logits = output_of(model(x))
    if returned:
        found["last"] = output_of(returned[min(returned)])
    found["logits"] = logits
    if attention.last is not None:
        found["attention"] = attention.last
    return found


def last_blocks(model: nn.Module) -> list[nn.Module]:
    """The last block of each list of blocks, of those with the most parameters first.

    The lists are those that a plan finds, whatever classes their blocks are of; what a block holds,
    such as its experts, is none of them.
    """
    lists = [blocks for _, blocks in block_lists(model)]
    lists.sort(key=lambda blocks: -sum(p.numel() for one in blocks for p in one.parameters()))
    return [blocks[-1] for blocks in lists]


@contextmanager
def _returned_by_last_blocks(model: nn.Module) -> Iterator[dict[int, object]]:
    """Within it, a forward pass leaves what those last blocks return that it goes through."""
    returned: dict[int, object] = {}
    handles = [
        block.register_forward_hook(
            lambda _module, _args, out, rank=rank: returned.update({rank: out})
        )
        for rank, block in enumerate(last_blocks(model))
    ]
    try:
        yield returned
    finally:
        for handle in handles:
            handle.remove()


class _AttentionLogits(TorchFunctionMode):
    """Keeps the logits of the last scaled dot-product attention called within it."""

    last: Tensor | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.scaled_dot_product_attention and len(args) >= 2:
            query, key = args[0], args[1]  # (…, heads, T, d)
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)  # grouped queries
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            self.last = scale * query @ key.mT
        return function(*args, **kwargs)


def output_of(returned: object) -> Tensor:
    """The tensor among what a module returns: itself, its ``logits``, or its first entry.

    Raises:
        TypeError: If there is none.
    """
    if isinstance(logits := getattr(returned, "logits", returned), Tensor):
        return logits
    if isinstance(returned, tuple | list) and returned and isinstance(returned[0], Tensor):
        return returned[0]
    raise TypeError(
        f"the model returns a {type(returned).__name__}, in which no tensor was found: "
        "give features= and loss= that know it"
    )
