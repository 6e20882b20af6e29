"""Where each parameter stands: told by a declaration, an architecture, the module's class, growth.

What nothing tells is asked for, with a proposal, all in one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from specmup.inspection.architectures import Architecture
from specmup.inspection.low_rank import adapter_of
from specmup.inspection.names import weights_beside
from specmup.inspection.places import possible_role
from specmup.inspection.specs import ModelSpec, ParamSpec, dimensions

Pair = tuple[int, int]  # a size at the target and at the base


@dataclass(frozen=True)
class Evidence:
    """What tells places: a declaration, then an architecture, then shapes.

    Args:
        target: The model.
        base: The base, with the same parameters.
        architecture: None where all is to be found by shape.
        declared: Place by name, of parameters that were declared.
        streams: Sizes in which branches end; empty where none is known to.
        seen: Place by pattern, as the forward pass shows it.
        likely: The same, with the ends of branches that count for nothing beside those declared.
    """

    target: ModelSpec
    base: ModelSpec
    architecture: Architecture | None
    declared: Mapping[str, str]
    streams: frozenset[Pair] = frozenset()
    seen: Mapping[str, str] = field(default_factory=dict)
    likely: Mapping[str, str] = field(default_factory=dict)

    def fans(self, spec: ParamSpec) -> tuple[Pair, Pair]:
        """Outputs and inputs of a parameter, each at the target and at the base."""
        (out, into), (out_before, into_before) = spec.fans(), self.base.params[spec.pattern].fans()
        return (out, out_before), (into, into_before)

    def grows(self, spec: ParamSpec) -> tuple[bool, bool]:
        """Whether a parameter's outputs and its inputs grow; a vocabulary's growth is none."""
        out, into = self.fans(spec)
        return out[0] != out[1] and out not in self.vocabularies, into[0] != into[1]

    @property
    def vocabularies(self) -> set[Pair]:
        """Numbers of rows of the embeddings."""
        before = self.base.params
        return {
            (spec.shape[0], before[name].shape[0])
            for name, spec in self.target.params.items()
            if issubclass(spec.module, nn.Embedding)
        }

    def any_width_grows(self) -> bool:
        """Whether any parameter has a dimension that grows, other than a vocabulary."""
        return any(any(self.grows(spec)) for spec in self.target.params.values())


def place_of(spec: ParamSpec, evidence: Evidence) -> str | None:
    """The place of a parameter; None if nothing tells it.

    Raises:
        ValueError: If it is tied to what it may not be tied to.
    """
    place = _place(spec, evidence)
    if place is None or possible_role(spec, place) is None:
        return None
    if spec.is_vector:
        return _place_of_tied_vector(spec, place, evidence)
    for alias in spec.aliases:
        other = place_of_alias(alias, evidence)
        if place != "embedding" or other not in ("embedding", "head"):
            raise ValueError(
                f"{spec.names[0]} and {alias} are one tensor, as {place} and "
                f"{other or 'something unknown'}: only an embedding and the head may be tied; "
                f"untie them, or declare places={{{alias!r}: 'head'}} if it is one"
            )
    return place


def place_of_alias(alias: str, evidence: Evidence) -> str | None:
    """The place of a tied matrix under another of its names."""
    name = evidence.target.starred(alias)
    if (place := evidence.declared.get(name)) is not None:
        return place
    module = evidence.target.module_of(alias)
    if issubclass(module, nn.Embedding):
        return "embedding"
    if evidence.architecture is not None:
        return evidence.architecture.place(name)
    return "head" if name == alias and issubclass(module, nn.Linear) else None


def _place_of_tied_vector(spec: ParamSpec, place: str, evidence: Evidence) -> str:
    """Vectors outside the blocks share one role; beside a head, one counts as the head's."""
    others = [evidence.target.starred(alias) for alias in spec.aliases]
    if spec.blocks is not None and any(other != spec.pattern for other in others):
        raise ValueError(
            f"{spec.names[0]} and {spec.aliases[0]} are one tensor: only an embedding and the "
            "head, or a bias with itself, may be tied; untie them"
        )
    heads = [n for n in others if _place_beside(n, evidence) == "head"]
    return "head" if heads else place


def _place_beside(bias: str, evidence: Evidence) -> str | None:
    """Place of the weight in the module of a bias, also where it is another's by a tie."""
    weight = weight_beside(bias, evidence.target)
    if weight is not None and not weight.is_vector:
        return place_of(weight, evidence)
    aliases = {alias for spec in evidence.target.params.values() for alias in spec.aliases}
    tied = next((name for name in weights_beside(bias) if name in aliases), None)
    return None if tied is None else place_of_alias(tied, evidence)


def _place(spec: ParamSpec, evidence: Evidence) -> str | None:
    found = adapter_of(spec, evidence.target, lambda weight: _own_place(weight, evidence))
    if found is not None and spec.pattern not in evidence.declared:
        adapter, place = found
        if not adapter.surely and spec.pattern in evidence.seen:  # three maps in a row look so, too
            return evidence.seen[spec.pattern]
        declared = evidence.declared.get(adapter.first.pattern)
        told = adapter.place(spec, place, first_holds=declared == "branch_end")
        return evidence.seen.get(spec.pattern) if told is None else told
    return _own_place(spec, evidence)


def _own_place(spec: ParamSpec, evidence: Evidence) -> str | None:
    if (place := told_place(spec, evidence)) is not None or evidence.architecture is not None:
        return place
    return _in_block(spec, evidence) if spec.blocks is not None else _outside(spec, evidence)


def told_place(spec: ParamSpec, evidence: Evidence) -> str | None:
    """The place that a declaration, the forward pass or a known architecture tells."""
    architecture, declared = evidence.architecture, evidence.declared
    place = declared.get(spec.pattern, evidence.seen.get(spec.pattern))
    if place is not None and (spec.pattern in declared or possible_role(spec, place) is not None):
        return place
    if spec.pattern.endswith("bias"):
        # A bias stands where its module's matrix or gain does.
        weight = weight_beside(spec.pattern, evidence.target)
        if weight is not None and (architecture is None or weight.pattern in declared):
            return _own_place(weight, evidence)
    return None if architecture is None else architecture.place(spec.pattern)


def weight_beside(bias: str, target: ModelSpec) -> ParamSpec | None:
    """The weight in the module of a bias, or what torch makes it of where it is parametrised."""
    names = weights_beside(bias)
    return next((target.params[name] for name in names if name in target.params), None)


def _in_block(spec: ParamSpec, evidence: Evidence) -> str | None:
    if spec.is_vector:
        if spec.alone or _is_table(spec):
            return None  # what one block alone has may stand before or behind all of them
        if spec.is_gain:
            return "branch_norm"
        return "branch" if spec.pattern.endswith("bias") else None
    if not spec.oriented:
        return None
    out, _ = evidence.fans(spec)
    grows, reads_what_grows = evidence.grows(spec)
    # A map from a size that stays to the stream may be an input to every block.
    return None if grows and not reads_what_grows and out in evidence.streams else "branch"


def _outside(spec: ParamSpec, evidence: Evidence) -> str | None:
    if issubclass(spec.module, nn.Embedding):
        return "embedding"
    if spec.is_vector:
        # Wherever outside the blocks it stands, the rule is that of an input's bias.
        if _is_table(spec):
            return None
        return "input" if spec.is_gain or spec.pattern.endswith("bias") else None
    if not spec.oriented:
        return None
    out, into = evidence.fans(spec)
    streams = {size for size in evidence.streams if size[0] != size[1]} or evidence.streams
    writes, reads = out in streams, into in streams
    if not writes and not reads:  # of no stream, or of one before the blocks widen it
        writes, reads = evidence.grows(spec)
    if reads and not writes and out[0] * into[1] == out[1] * into[0] != out[1] * into[1]:
        return "branch"  # what it writes grows as what it reads: no head, whose outputs stay
    if writes != reads:
        return "input" if writes else "head"
    if evidence.any_width_grows():
        return "branch" if writes and out not in evidence.vocabularies else None
    return by_order(spec, evidence)


def _is_table(spec: ParamSpec) -> bool:
    """Whether something called a bias has more than one dimension."""
    return not spec.is_gain and dimensions(spec.shape) > 1


def by_order(spec: ParamSpec, evidence: Evidence) -> str:
    """Without growth in width all factors outside the blocks are one: the order tells the place."""
    in_blocks = [other.blocks is not None for other in evidence.target.params.values()]
    at = list(evidence.target.params).index(spec.pattern)
    return "input" if any(in_blocks[at:]) else "head"
