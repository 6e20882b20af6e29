"""Ways back from a value, over operations that a factor passes, and the branches that hold them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from specmup.tracing.records import Op, Value

DIGITS = 7


@dataclass(frozen=True)
class Way:
    """One way back from a value, over operations that a factor passes, to where it passes no more.

    Args:
        names: Parameters that multiply on it, the last first; of one factor that is made of several
            parameters, all. A factor in any one of them is a factor on the way's end.
        added: Parameters that are added on it behind its first map or gain, each with the product
            of the constants behind it.
        scale: Product of the constants behind the first map or gain; None if one is not known.
        before: Product of the constants further back.
        gated: Whether it is two ways whose ends are multiplied: either may hold a factor.
        stop: What no factor passes: ``norm``, a non-linearity, ``product``, ``stream``, ``input``.
    """

    names: tuple[tuple[str, ...], ...] = ()
    added: tuple[tuple[str, float | None], ...] = ()
    scale: float | None = 1.0
    before: float | None = 1.0
    gated: bool = False
    stop: str = "input"

    def scaled(self, by: float | None) -> Way:
        """With one more constant, nearer to the end than all that is there."""
        added = tuple((name, times(own, by)) for name, own in self.added)
        return replace(self, scale=times(self.scale, by), added=added)

    def behind(self, names: tuple[str, ...], added: tuple[str, ...] = ()) -> Way:
        """With one more factor, nearer to the end."""
        before = times(self.scale, self.before)
        own = tuple((n, 1.0) for n in added)
        return Way((names, *self.names), own, 1.0, before, stop=self.stop)

    def beside(self, other: Way) -> Way:
        """The way back from a product of what both end in."""
        return Way(
            names=(*self.names, *other.names),
            scale=times(self.scale, other.scale),
            before=times(self.before, other.before),
            gated=True,
            stop="product",
        )

    def plus(self, added: tuple[str, ...]) -> Way:
        """With parameters that are added to it."""
        return replace(self, added=(*self.added, *((name, 1.0) for name in added)))


@dataclass(frozen=True, eq=False)
class Branch:
    """One addition to the residual stream.

    Args:
        op: The addition.
        skip: The stream before.
        value: What is added.
        ways: Back from what is added.
        skip_scale: Product of the constants that multiply the stream on its way from the addition
            before; None if not known.
        stream_gains: Parameters of normalisations on that way.
        stream_norm: Whether there is one.
        inside: Parameters that act between the stream and the addition.
        again: Those that map there, and map again what came of it.
    """

    op: Op
    skip: Value
    value: Value
    ways: tuple[Way, ...]
    skip_scale: float | None
    stream_gains: tuple[str, ...]
    stream_norm: bool
    inside: tuple[str, ...] = field(default=())
    again: tuple[str, ...] = field(default=())

    @property
    def where(self) -> str:
        """The module that adds, in words for a message."""
        return self.op.module or "the model"


def times(one: float | None, other: float | None) -> float | None:
    """A product of which either may be unknown."""
    return None if one is None or other is None else one * other


def rounded(number: float | None) -> float | None:
    """A constant to the digits of single precision, with one to spare."""
    return None if number is None else float(f"{number:.{DIGITS}g}")
