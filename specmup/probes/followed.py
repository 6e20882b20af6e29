"""What is followed in a model that is not known: its stream, attention logits and output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Features = dict[str, Tensor]


def followed(model: nn.Module, x: Tensor) -> Features:
    """What is followed, by name.

    ``last`` is the output of the last repeated block, ``attention`` the scaled logits qᵀk of the
    last call of PyTorch's attention, where there are such, and ``logits`` the model's output.
    """
    with _last_block(model) as found, _AttentionLogits() as attention:
        found["logits"] = output_of(model(x))
    if attention.last is not None:
        found["attention"] = attention.last
    return found


def last_block(model: nn.Module) -> nn.Module | None:
    """The last of the repeated blocks; None if there are none.

    The blocks are the list of modules of one class that holds the most parameters.
    """
    lists = [
        list(module)
        for module in model.modules()
        if isinstance(module, nn.ModuleList | nn.Sequential)
        and len(module)
        and len({type(child) for child in module}) == 1
    ]

    def parameters(blocks: list[nn.Module]) -> int:
        return sum(p.numel() for block in blocks for p in block.parameters())

    return max(lists, key=parameters)[-1] if lists else None


@contextmanager
def _last_block(model: nn.Module) -> Iterator[Features]:
    """Within it, a forward pass leaves the last block's output in the dictionary."""
    found: Features = {}
    if (block := last_block(model)) is None:
        yield found
        return

    def keep(_module: nn.Module, _inputs: object, returned: object) -> None:
        found["last"] = output_of(returned)

    handle = block.register_forward_hook(keep)
    try:
        yield found
    finally:
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
