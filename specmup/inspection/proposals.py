"""What is not known of a model, as questions with proposed answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase

from torch import nn

from specmup.inspection.finding import Evidence, Pair, by_order
from specmup.inspection.names import weights_beside
from specmup.inspection.places import names_match
from specmup.inspection.questions import Declaration, Undeclared
from specmup.inspection.specs import ParamSpec

NO_LAST = (
    "none; name what does in branch_ends, or, if no factor passes on from there to the stream, "
    "give the model a `multipliers` dictionary"
)


def questions(
    evidence: Evidence,
    places: Mapping[str, str | None],
    declared: Declaration,
    *,
    deeper: bool,
) -> Undeclared | None:
    """All that is not known, at once; None if nothing is.

    Args:
        evidence: What told the places.
        places: Place by pattern; None where nothing tells it.
        declared: What the user told.
        deeper: Whether the number of blocks grows: only then branches must be known.
    """
    reasons: list[str] = []
    ends, depth, told = declared.branch_ends, declared.block_depth, dict(declared.places)
    likely = (evidence.likely.get(name) for name, place in places.items() if place is None)
    if deeper and "branch_end" not in (*places.values(), *likely):
        found = _last_maps(evidence)
        ends = (*ends, *found)
        reasons.append(
            "no parameter is known to end a branch, that is to write what is added to the stream; "
            f"the last of that size in their modules: {', '.join(found.values()) or NO_LAST}"
        )
    for pattern, place in places.items():
        spec = evidence.target.params[pattern]
        # A bias follows its weight, and what is proposed to end a branch is answered so.
        beside = weights_beside(pattern) if pattern.endswith("bias") else ()
        follows = any(places.get(weight, "") is None for weight in beside)
        if place is None and not follows and not _covered(pattern, ends):
            told[pattern], reason = _proposed(spec, evidence)
            reasons.append(f"{spec.names[0]}, of shape {spec.shape}, has no known place: {reason}")
    if deeper and depth is None and evidence.architecture is None:
        depth = 1 if _one_map(evidence, ends) else 2
        reasons.append(
            "how many maps in a row does a branch hold? Declare block_depth=1, or 2 for two or more"
        )
    if not reasons:
        return None
    name = None if evidence.architecture is None else evidence.architecture.name
    return Undeclared(Declaration(ends, told, depth), reasons, name)


def _covered(pattern: str, ends: tuple[str, ...]) -> bool:
    return any(names_match(pattern, end) for end in ends)


def _last_maps(evidence: Evidence) -> dict[str, str]:
    """By pattern to declare, the last map to the stream in each module of a block."""
    found = {}
    for maps in _by_module(evidence).values():
        stream = _stream(evidence)
        if writing := [spec for spec in maps if evidence.fans(spec)[0] == stream]:
            last = writing[-1].pattern
            found[_short(last, evidence)] = last
    return found


def _by_module(evidence: Evidence) -> dict[str, list[ParamSpec]]:
    """The matrices in the blocks by the block's own modules; single layers count as one."""
    found: dict[str, list[ParamSpec]] = {}
    for spec in evidence.target.params.values():
        if spec.blocks is not None and not spec.is_vector:
            start = 2 + spec.blocks.count(".") if spec.blocks else 1
            words = spec.pattern.split(".")
            inside = words[start:-1]  # the path of its module in the block
            if "parametrizations" in inside:  # in the module whose weight torch makes of it
                inside = inside[: inside.index("parametrizations")]
            if not inside or issubclass(spec.module, nn.Embedding):
                continue
            # A list in a block holds modules of the block, too.
            depth = 2 if len(inside) > 2 and inside[1].isdigit() else 1
            group = inside[:depth] if len(inside) > 1 else []
            found.setdefault(".".join([*words[:start], *group]), []).append(spec)
    return found


def _stream(evidence: Evidence) -> Pair | None:
    """The size that most maps before and in the blocks write, which all branches must share."""
    count: Counter[Pair] = Counter()
    for spec in evidence.target.params.values():
        if not spec.is_vector:
            out, into = evidence.fans(spec)
            embeds = issubclass(spec.module, nn.Embedding)
            count.update([into] if not embeds else [])
            count.update([(spec.shape[-1], evidence.base.params[spec.pattern].shape[-1])] * embeds)
            count.update([out] if spec.blocks is not None else [])
    return count.most_common(1)[0][0] if count else None


def _short(pattern: str, evidence: Evidence) -> str:
    """The shortest end of a name that names just what the whole would, in any block.

    The name is that of the module, or of the parameter where its module holds several matrices.
    """
    module = pattern.rpartition(".")[0]
    inside = (p for n, p in evidence.target.params.items() if n.startswith(f"{module}."))
    alone = sum(not spec.is_vector for spec in inside) == 1
    words = pattern.split(".")[: -1 if alone else None]
    words = ["*" if word.isdigit() else word for word in words[:-1]] + words[-1:]
    for length in range(1, len(words)):
        short = ".".join(words[-length:])
        if words[-length].strip("*").isdigit() or words[-length] == "*":
            continue
        named = [n for n, p in evidence.target.params.items() if names_match(n, short)]
        whole = ".".join(words)
        if all(fnmatchcase(n, whole) or fnmatchcase(n, f"{whole}.*") for n in named):
            return short
    return ".".join(words)


def _one_map(evidence: Evidence, ends: tuple[str, ...]) -> bool:
    """Whether each branch seems to be one matrix."""
    groups = [maps for maps in _by_module(evidence).values()]
    with_end = [g for g in groups if any(_covered(spec.pattern, ends) for spec in g)]
    return bool(with_end) and all(len(group) == 1 for group in with_end)


def _proposed(spec: ParamSpec, evidence: Evidence) -> tuple[str, str]:
    """A place, and why."""
    if (place := evidence.likely.get(spec.pattern)) is not None:
        return place, "it was seen to stand so, alone or with others of which one may be it"
    if spec.blocks is None:
        return _proposed_outside(spec, evidence)
    if spec.is_vector and spec.alone:
        return "input", "only one block has it, so it may stand before or behind all of them"
    if spec.is_vector:
        return "branch", "a vector in a block counts like a bias between two maps, or as a gain"
    if issubclass(spec.module, nn.Embedding):
        return "branch", "a table in a block, of which each row counts like a bias"
    if not spec.oriented:
        return "branch", "no module tells how it is used; it is read as (n_out, n_in)"
    out, into = evidence.fans(spec)
    return "branch", (
        f"it leads from {into[0]} to {out[0]}; if it writes into the stream, it is a branch_end"
    )


def _proposed_outside(spec: ParamSpec, evidence: Evidence) -> tuple[str, str]:
    if spec.is_vector:
        return "input", "a vector outside the blocks, added to the stream or a gain of it"
    out, into = evidence.fans(spec)
    if spec.oriented and out[0] != out[1] and into[0] != into[1]:
        return "branch", "it leads from what grows to what grows, outside the blocks"
    if not spec.oriented and into[0] != into[1] and out[0] == out[1]:
        return "embedding", "its rows grow: each may be added to the stream; else a head"
    if out[0] == out[1] and into[0] == into[1]:
        return by_order(spec, evidence), "it does not grow; told by where it stands"
    place = "input" if out[0] != out[1] else "head"
    return place, f"it leads from {into[0]} to {out[0]}"
