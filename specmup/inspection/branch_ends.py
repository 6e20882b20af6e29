"""Each way into the residual stream, as it was seen, must hold its branch's multiplier once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from specmup.inspection.model_pair import ModelPair, ScaledParam
from specmup.inspection.names import abbreviated, canonical
from specmup.inspection.observation import names_of
from specmup.inspection.places import names_match
from specmup.tracing.reading import Reading
from specmup.tracing.ways import Way


class Named:
    """Parameters by the names that a trace gives them.

    Args:
        pair: The parameters.
        places: What the caller declared by name.
    """

    def __init__(self, pair: ModelPair, places: Mapping[str, str]) -> None:
        """Index the names."""
        self.params = {name: param for param in pair.params for name in names_of(param.spec)}
        self.declared = {
            param.spec.pattern
            for param in pair.params
            if any(names_match(param.spec.pattern, pattern) for pattern in places)
        }

    def __getitem__(self, name: str) -> ScaledParam:
        """The parameters that do the same as the one of this name."""
        return self.params[canonical(name)]

    def pattern(self, name: str) -> str:
        """Their pattern."""
        return self[name].spec.pattern

    def stacked(self, pattern: str) -> bool:
        """Whether the parameter of a pattern holds the maps of all blocks."""
        return any(p.spec.stacked for p in self.params.values() if p.spec.pattern == pattern)

    def is_declared(self, name: str) -> bool:
        """Whether the caller declared their place by name."""
        return self.pattern(name) in self.declared


@dataclass(frozen=True)
class _End:
    """One way into the stream, and which of its factors hold the multiplier."""

    way: Way
    holding: tuple[str, ...]
    module: str


def check_foldable_ends(one: Reading) -> None:
    """Refuse a branch into which no multiplier can be folded, whatever is declared.

    Raises:
        ValueError: If a factor of no parameter reaches the stream.
    """
    for branch in one.branches:
        kinds = {way.stop for way in branch.ways} - {"input", "stream"}
        if kinds and not any(way.names for way in branch.ways):
            raise ValueError(
                f"what {branch.where} adds to the stream comes out of {', '.join(sorted(kinds))}, "
                "through which no factor of a parameter passes, so the branch's multiplier cannot "
                "be folded: end the branch in a map or a gain, or give the model a `multipliers` "
                "dictionary"
            )


def check_ends(found: Named, one: Reading) -> Iterator[str]:
    """Each way into the stream must hold the branch's multiplier once: no more, no less."""
    check_foldable_ends(one)
    ends = [
        _End(way, tuple(n for n in names_on(way) if found[n].place == "branch_end"), b.where)
        for b in one.branches
        for way in b.ways
        if way.names and not any(found[n].spec.stacked for n in names_on(way))
    ]
    wrong = {
        tuple(found.pattern(n) for n in names_on(end.way)): end
        for end in ends
        if len(_factors_with(end)) != 1
    }
    asked = [end for end in wrong.values() if not all(map(found.is_declared, names_on(end.way)))]
    if asked:
        proposed = dict.fromkeys(found.pattern(end.way.names[0][0]) for end in ends)
        problems = dict.fromkeys(_problem(end, found) for end in asked)
        raise ValueError(
            f"{abbreviated(problems, 3)}: the multiplier of a branch must stand exactly once on "
            f"each way into the stream. Declare branch_ends={list(proposed)} and block_depth, or "
            "say otherwise for a parameter by name in places"
        )
    for end in wrong.values():
        if end not in asked:
            yield f"{_problem(end, found)}: planned so, as places declares it."


def names_on(way: Way) -> tuple[str, ...]:
    """All parameters that multiply on a way."""
    return tuple(name for factor in way.names for name in factor)


def _factors_with(end: _End) -> list[tuple[str, ...]]:
    return [factor for factor in end.way.names if set(factor) & set(end.holding)]


def _problem(end: _End, found: Named) -> str:
    if len(end.holding) > 1:
        several = " and ".join(found.pattern(name) for name in end.holding)
        return f"{several} follow one another in {end.module} and both hold the multiplier"
    last = end.way.names[0][0]
    alone = end.way.stop == "norm" and len(end.way.names) == 1
    behind = ", behind a normalisation," if alone else ""
    return (
        f"{found.pattern(last)} is the last that acts on what {end.module} adds to the stream"
        f"{behind} and is planned as {found[last].place}"
    )
