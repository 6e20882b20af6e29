"""Operations that multiply and add in one, written out as products and sums.

So a pass reads the same however it says a thing: x + c·y, or ``torch.add(x, y, alpha=c)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor


def _plus(beta: float, one: Tensor, alpha: float, other: Tensor) -> Tensor:
    """β·one + α·other; a factor of zero leaves its term out, as in BLAS."""
    other = other if alpha == 1 else other * alpha
    return other if beta == 0 else (one if beta == 1 else one * beta) + other


# By the names of ATen, with its arguments.
PLAIN: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda x, y, *, alpha=1: x + y * alpha,
    "sub": lambda x, y, *, alpha=1: x - y * alpha,
    "rsub": lambda x, y, alpha=1: y - x * alpha,
    "addmm": lambda x, a, b, *, beta=1, alpha=1: _plus(beta, x, alpha, a @ b),
    "addmv": lambda x, a, b, *, beta=1, alpha=1: _plus(beta, x, alpha, a @ b),
    "baddbmm": lambda x, a, b, *, beta=1, alpha=1: _plus(beta, x, alpha, a @ b),
    "addbmm": lambda x, a, b, *, beta=1, alpha=1: _plus(beta, x, alpha, (a @ b).sum(0)),
    "addcmul": lambda x, a, b, *, value=1: _plus(1, x, value, a * b),
    "addcdiv": lambda x, a, b, *, value=1: _plus(1, x, value, a / b),
    "lerp": lambda x, y, weight: x + (y - x) * weight,
}
ALWAYS = ("addcmul", "addcdiv", "lerp")


def written_out(
    name: str, args: Sequence[Any], options: Mapping[str, Any]
) -> Callable[..., Tensor] | None:
    """What does the same in products and sums; None where an operation is one of these already.

    A map with its bias, a vector, is left as it is.

    Args:
        name: Of the operation, as in ``add_.Tensor``.
        args: What it is called with.
        options: What it is called with by name.
    """
    kind = name.partition(".")[0].removesuffix("_")
    if kind not in PLAIN:
        return None
    one_by_one = all(options.get(name, 1) == 1 for name in ("alpha", "beta"))
    if kind == "rsub":  # of a number it is 1 - x itself, which torch has no other word for
        plain = len(args) == 2 and one_by_one and not isinstance(args[1], Tensor)
    elif kind in ("add", "sub", "addmv"):
        plain = one_by_one
    else:
        plain = kind not in ALWAYS and one_by_one and args[0].dim() < 2
    return None if plain else PLAIN[kind]
