"""Places as the forward pass shows them: on the stream, before it and behind it.

No name is asked. What was not seen, or was seen to do several things, is left to other evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from specmup.inspection.names import canonical
from specmup.inspection.specs import ModelSpec, ParamSpec, dimensions
from specmup.tracing.dimensions import Layout
from specmup.tracing.reading import Reading
from specmup.tracing.ways import Way


@dataclass(frozen=True)
class Seen:
    """What a forward pass tells of places.

    Args:
        places: Place by pattern.
        perhaps: Patterns of one of several that make a map's weight in a way not understood,
            where that map ends a branch: it may hold the multiplier.
        block_depth: Number of maps in a branch, 2 for two or more; None where branches differ.
    """

    places: Mapping[str, str] = field(default_factory=dict)
    perhaps: frozenset[str] = frozenset()
    block_depth: int | None = None

    @property
    def likely(self) -> Mapping[str, str]:
        """Places to propose where nothing else tells."""
        return dict.fromkeys(self.perhaps, "branch_end") | dict(self.places)


def places_seen(one: Reading, spec: ModelSpec) -> Seen:
    """The places of the parameters that one forward pass uses for one thing.

    Args:
        one: The forward pass of the model that ``spec`` describes.
        spec: Its parameters.
    """
    params = spec.params.values()
    known = {name: param for param in params for name in (*param.names, *param.aliases)}
    found: dict[str, set[str]] = {}
    for name, place in _uses(one, known):
        found.setdefault(known[canonical(name)].pattern, set()).add(place)
    places = {name: told.pop() for name, told in found.items() if len(told) == 1}
    inside = ([known[canonical(name)] for name in branch.inside] for branch in one.branches)
    depths = {min(2, sum(not param.is_vector for param in params)) for params in inside}
    perhaps = frozenset(known[canonical(holding[0])].pattern for holding in _unsettled(one))
    return Seen(places, perhaps, depths.pop() if len(depths) == 1 else None)


def _uses(one: Reading, known: Mapping[str, ParamSpec]) -> Iterator[tuple[str, str]]:
    """Names and places, one for each use."""
    in_branches = {name for branch in one.branches for name in branch.inside}
    ends = set(_ends(one))
    maps = {canonical(n) for n, own in one.layouts.items() if _is_read_so(known[canonical(n)], own)}
    for name in in_branches:
        param = known[canonical(name)]
        row = param.is_vector or dimensions(param.shape) <= 1
        acts = row or param.is_convolution or maps & {*param.names, *param.aliases}
        if param.blocks is None or not acts:
            continue  # outside, or a matrix that does not act as one
        if name in one.entering and name not in ends:
            continue  # before a second stream, which a first block begins: later blocks tell more
        inside = "branch_norm" if param.is_gain or (param.in_norm and param.is_vector) else "branch"
        yield name, "branch_end" if name in ends else inside
    on_stream = {canonical(name) for branch in one.branches for name in branch.stream_gains}
    yield from ((name, "stream_norm") for name in on_stream if known[name].blocks is not None)
    returned = {*map(canonical, one.returned)}  # these lead in and out: other evidence tells more
    behind = {name: place for name, place in _behind(one, known) if name not in returned}
    rows = set(_rows(one, known))
    for name in known:
        param = known[name]
        if param.blocks is not None or param.names[0] != name:
            continue
        if issubclass(param.module, nn.Embedding) or name in rows:
            yield name, "embedding"
        elif name in behind:
            yield name, behind[name]
        elif param.is_vector and name in one.entering:
            yield name, "input"


def _is_read_so(param: ParamSpec, layout: Layout) -> bool:
    """Whether the forward pass sums over the dimension that is taken for the inputs."""
    inputs = len(param.shape) - (2 if param.transposed else 1)
    return param.oriented or layout.inputs == (inputs,)


def _ends(one: Reading) -> Iterator[str]:
    """What stands last on each way into the stream, and what is added there."""
    for way in one.ends:
        holding = _holding(way, one)
        if len(holding) == 1 or _are_a_norms(way):
            yield from holding
        yield from (name for name, _ in way.added)


def _unsettled(one: Reading) -> Iterator[Sequence[str]]:
    """What stands last on a way where it is several, of which one may hold the multiplier."""
    for way in one.ends:
        holding = _holding(way, one)
        if len(holding) > 1 and not _are_a_norms(way) and one.bent.isdisjoint(holding):
            yield holding


def _holding(way: Way, one: Reading) -> Sequence[str]:
    """What stands last on a way, but for what does not keep a factor."""
    last = way.names[0] if way.names and not way.gated else ()
    return [name for name in last if name not in one.bent] or last


def _are_a_norms(way: Way) -> bool:
    """Whether what stands last on a way is a normalisation's own gain and bias."""
    return way.stop == "norm" and len(way.names) == 1


def _rows(one: Reading, known: Mapping[str, ParamSpec]) -> Iterator[str]:
    """Bare tables outside the blocks whose rows enter the stream, as tokens and positions do.

    A single row that is not reached, such as a token that masks others, can be nothing else.
    """
    widths = {branch.skip.shape[-1] for branch in one.branches[:1]}
    acting = {canonical(name) for name in one.entrywise.intersection(one.entering)}
    unreached = {canonical(name) for name in one.unreached}
    for name, param in known.items():
        bare = not (param.is_vector or param.oriented) and param.shape[-1] in widths
        if bare and (name in acting or (dimensions(param.shape) == 1 and name in unreached)):
            yield name


def _behind(one: Reading, known: Mapping[str, ParamSpec]) -> Iterator[tuple[str, str]]:
    """The head, and the normalisation directly before it."""
    for way in one.exits:
        first, *more = [canonical(name) for names in way.names for name in names] or [""]
        if way.gated or not first or known[first].is_vector:
            continue
        yield first, "head"
        yield from ((canonical(name), "head") for name, _ in way.added)
        yield from ((name, "final_norm") for name in more if known[name].is_gain)
