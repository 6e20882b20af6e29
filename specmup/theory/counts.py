"""Counts that grow beside width and depth: experts, and heads that share keys and values.

A count is a number of terms that add up, as the depth is one. A token meets K of a block's E
experts, so what reaches it is a sum over L·K branches, each behind a gate, and the condition is
that of L·K blocks. What the counts change beyond it is the gradient: one of an expert holds the
share K/E of all tokens, one of a shared key or value map a sum over the Q heads that share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from specmup.theory.condition import Path, solve_condition
from specmup.theory.equations import Combination
from specmup.theory.layer import HALF
from specmup.theory.order import ACTIVE, DEPTH, EXPERTS, GROUP, HEAD, ONE, WIDTH, Order
from specmup.theory.rules import SolvedLayer, branch_system, solve_layer, solved_layers
from specmup.theory.tables import Rule, Rules
from specmup.theory.update import UpdateLaw, update_law

# Size of one chosen expert's gate: a softmax over the chosen ones, over all, or a sigmoid for each.
GATES: Mapping[str, Order] = {"chosen": ACTIVE**-1, "all": EXPERTS**-1, "sigmoid": ONE}
# The share of all tokens that an expert is shown, if the load is even.
LOAD = ACTIVE / EXPERTS

AS_ROWS = "one row for each expert, each of them a readout"
EVEN_LOAD = (
    "if the load is even and an expert's tokens are a fair sample of all; a router that sorts them "
    "by what they hold makes the gradients of its experts larger"
)
ONE_ACTIVE = "a softmax over a single chosen expert is 1, and the router gets no gradient"


@cache
def expert_layers(block_depth: int, gates: str = "chosen") -> Mapping[str, SolvedLayer[Order]]:
    """Sizes of ``expert``, a map of one expert, and of ``router``, in the conventional gauge.

    The multiplier stands in front of the sum over experts, outside the gates. A router is one more
    map in the product, as a gain is: it multiplies what an expert writes. Each of its rows serves
    one expert, and reads as many inputs as there are for one output.

    Args:
        block_depth: Number k of maps in an expert.
        gates: One of :data:`GATES`.

    Raises:
        ValueError: If the gates are unknown, or the block depth is no positive integer.
    """
    if gates not in GATES:
        raise ValueError(f"unknown gates {gates!r}: choose one of {', '.join(GATES)}")
    system = branch_system(block_depth, DEPTH * ACTIVE)
    maps = tuple(f"W{i}" for i in range(1, block_depth + 1))
    solved = (
        solve_layer("expert", system, Path(maps), "W1", (WIDTH, WIDTH)),
        solve_layer("router", system, Path(("g", *maps)), "g", (ONE, WIDTH)),
    )
    # The system's α is what stands before one expert: the multiplier times its gate.
    return {
        one.role: replace(
            one,
            layer=replace(one.layer, sensitivity=one.layer.sensitivity * LOAD),
            multiplier=one.multiplier / GATES[gates],
        )
        for one in solved
    }


def expert_rules(optimizer: str, block_depth: int = 2, gates: str = "chosen") -> Rules:
    """The rules of a mixture of experts: rows ``expert`` and ``router``.

    Args:
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        block_depth: Number k of maps in an expert.
        gates: One of :data:`GATES`.

    Raises:
        ValueError: As :func:`expert_layers` does, or if the optimizer is unknown.

    >>> print(expert_rules("sgd")["expert"].learning_rate)
    L·E
    >>> print(expert_rules("adamw", gates="sigmoid")["expert"].multiplier)
    L^-1·K^-1
    """
    law = update_law(optimizer)
    rows = tuple(solved.rule(law) for solved in expert_layers(block_depth, gates).values())
    router = f"{AS_ROWS}; {ONE_ACTIVE}" if gates == "chosen" else AS_ROWS
    title = f"{law.title}, k = {block_depth}, gates: {gates}"
    return Rules(title, rows, {"expert": EVEN_LOAD, "router": router})


def shared_layer(block_depth: int = 2, *, aligned: bool = True) -> SolvedLayer[Order]:
    """Sizes of ``shared``: a key or value map (n/Q, n) whose every head serves Q heads of queries.

    Its outputs, repeated Q times, are of the size that they had, so ‖W‖_R and ‖ΔW‖_R are those
    of the repeated map. Its gradient is a sum over the Q heads.

    Args:
        block_depth: Number k of maps in a branch.
        aligned: Whether that sum adds up like Q, as the bound has it, or like √Q, as at the start,
            where heads read the same value by independent maps.
    """
    hidden = solved_layers(block_depth)["hidden"]
    sensitivity = hidden.layer.sensitivity / (ONE if aligned else GROUP**HALF)
    layer = replace(hidden.layer, fan_out=WIDTH / GROUP, sensitivity=sensitivity)
    return replace(hidden, role="shared", layer=layer)


def shared_rule(optimizer: str, block_depth: int = 2, *, aligned: bool = True) -> Rule[Order]:
    """The rule of :func:`shared_layer`, with a start at which its outputs are of size one.

    ‖W‖_R is what a map can do to features that lie in its few rows; what they meet at the start is
    independent of it. The two sizes differ where outputs are fewer than inputs, here by √Q, and P1
    speaks of the features: their size is std·√n_in.

    Args:
        optimizer: A name in :data:`specmup.theory.update.LAWS`.
        block_depth: Number k of maps in a branch.
        aligned: As in :func:`shared_layer`.

    Raises:
        ValueError: If the optimizer is unknown.
    """
    solved = shared_layer(block_depth, aligned=aligned)
    return replace(solved.rule(update_law(optimizer)), init_variance=solved.layer.fan_in**-1)


def attention_scale() -> Combination:
    """What the product of query and key is multiplied by, where the head dimension d grows.

    It is a sum over d terms, each a product of two maps, so the condition is that of d blocks of
    two maps: with both moved, the terms are aligned, and the start is forced to be as small.
    """
    start = solve_condition(2, terms=HEAD).start
    assert start is not None
    return start


def missed(
    solved: SolvedLayer[Order], law: UpdateLaw, *, multiplier: Order, learning_rate: Order
) -> Order:
    """By what the change of the features in one step misses the demand, under a rule of any kind.

    Args:
        solved: The layer as the condition has it.
        law: What trains it.
        multiplier: The rule's, in front of the term in which the layer stands.
        learning_rate: The rule's.
    """
    louder = multiplier / solved.multiplier
    layer = replace(solved.layer, sensitivity=solved.layer.sensitivity * louder)
    return louder * learning_rate * law.step(layer).rms_operator / solved.update_norm
