"""``specmup check`` trains small copies of a model for a few steps: do its features stay level?

Runs the coordinate check over widths and depths, under the plan and under the standard
parametrization, on made-up text and without dropout. Prints what grows, a slope for each feature
and axis, a verdict and what it means, and whether the base learns at all; the exit status is 1 if
the plan's features are surely not level.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from specmup.cli.command import (
    add_declarations,
    declared,
    factory,
    figure,
    number_or_mapping,
    sizes,
)
from specmup.foreign import named_sizes

if TYPE_CHECKING:  # torch is slow to import: only where it is needed
    from torch import nn

    from specmup.parametrization.planned import Plan

    Factory = Callable[[int, int], nn.Module]

HELP = "check on small copies of a model that its features change alike at every size"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = command.add_argument
    add("--model", required=True, help="hf:gpt2, hf:llama, …; or module:function for your own")
    add("--base", required=True, type=sizes, help="smallest sizes: n_embd=64,n_head=4,n_layer=4")
    add(
        "--fixed", type=sizes, default={}, help="sizes that never grow; default: a small vocabulary"
    )
    add("--width-names", nargs="+", help="those of the base's sizes that grow with the width")
    add("--depth-names", nargs="+", help="those that grow with the depth")
    for axis, growth in (("widths", [1, 2, 3, 4, 6]), ("depths", [1, 2, 3, 4, 6])):
        text = f"factors on the base's {axis}; default: {' '.join(map(str, growth))}"
        add(f"--{axis}", nargs="+", type=int, default=growth, help=text)
    add("--optimizer", default="adamw", help="default: adamw")
    add("--learning-rate", type=number_or_mapping, default=2**-8, help="default: 2^-8")
    add("--std", type=number_or_mapping, help="of the base's matrices; default: the model's own")
    add_declarations(command)
    add("--vocabulary", type=int, default=16, help="tokens in the made-up text; default: 16")
    add("--length", type=int, default=16, help="its context; default: 16")
    add("--batch", type=int, default=8, help="sequences a step; default: 8")
    add("--steps", type=int, default=3, help="default: 3")
    add("--seeds", type=int, default=3, help="how many; default: 3")
    add("--tolerance", type=float, default=0.25, help="largest slope called flat; default: 0.25")
    add("--figure", type=figure, help="a file to draw to, .svg, .png or .pdf")


def run(args: argparse.Namespace) -> int:
    """Check, draw and print; 1 if the plan's features are surely not flat, else 0."""
    # torch is slow to import: only where it is needed
    from specmup.figures.check_report import FAILS, draw, findings, report, verdict
    from specmup.probes.coordinate_check import axes, coordinate_check, token_batches

    make, sizes_of = _by_factors(args)
    _check_counts(args)

    batches = token_batches(args.vocabulary, args.length, args.batch)
    _try(args.model, make(1, 1), batches)
    print(*_growth(args, make, sizes_of), sep="\n", end="\n\n")

    def plan_of(parametrization: str) -> Callable[[nn.Module], Plan]:
        return partial(_plan, args, make, parametrization)

    frame = coordinate_check(
        make,
        {"plan": plan_of("spectral"), "sp": plan_of("sp")},
        batches,
        sizes=axes(sorted(args.widths), sorted(args.depths)),
        seeds=range(args.seeds),
        steps=args.steps,
    )
    found = findings(frame, tolerance=args.tolerance)
    print(report(found))
    print(_learning(make(1, 1), plan_of("spectral"), batches))
    if args.figure:
        draw(frame, found, args.figure)
        print(f"figure: {args.figure}")
    return int(verdict([finding for finding in found if finding.rule == "plan"]) == FAILS)


def _check_counts(args: argparse.Namespace) -> None:
    """Refuse, before anything is trained, what leaves no slope to be told."""
    for name in ("seeds", "steps"):
        if (count := getattr(args, name)) < 1:
            raise ValueError(f"--{name} is {count}: give at least 1")
    for name in ("widths", "depths"):
        if min(factors := getattr(args, name)) < 1:
            raise ValueError(f"--{name} is {factors}: give factors of at least 1")
    if max(len({*args.widths}), len({*args.depths})) < 3:
        raise ValueError(
            f"--widths is {args.widths} and --depths is {args.depths}: a slope with an interval "
            "needs three sizes, so give three different factors for one of them"
        )


def _learning(base: nn.Module, plan_of: Callable[[nn.Module], Plan], batches: Callable) -> str:
    from specmup.probes.coordinate_check import cross_entropy, without_dropout
    from specmup.probes.learning import learning
    from specmup.streams import stream

    plan = plan_of(without_dropout(base))
    plan.initialise(base, 0)
    batch = batches(stream("check", 0))
    return f"the base under the plan: {learning(base, plan.optimizer(base), batch, cross_entropy)}"


def _plan(args: argparse.Namespace, make: Factory, parametrization: str, model: nn.Module) -> Plan:
    """The plan of one of the copies."""
    from specmup.parametrization.plan import make_plan

    return make_plan(
        model,
        base=make(1, 1),  # with memory: its own start is measured where no std is given
        optimizer=args.optimizer,
        learning_rate=args.learning_rate,
        std=args.std,
        **declared(args),
        parametrization=parametrization,
        verify=True,
    )


def _try(name: str, model: nn.Module, batches: Callable) -> None:
    """Refuse a model that cannot read made-up text."""
    from specmup.probes.coordinate_check import cross_entropy
    from specmup.streams import stream

    try:
        cross_entropy(model, *batches(stream("check", 0)))
    except (RuntimeError, TypeError, IndexError, ValueError) as problem:
        raise ValueError(
            f"{name} cannot learn from made-up text of (batch, length) tokens ({problem}): see "
            "--vocabulary and --length; for other inputs call "
            "specmup.probes.coordinate_check.coordinate_check"
        ) from problem


def _growth(
    args: argparse.Namespace, make: Factory, sizes_of: Callable[[int, int], dict[str, int]]
) -> Iterator[str]:
    """What grows along each axis; refused where nothing of the model does."""
    from specmup.inspection.counts import entries

    for axis, most in (("width", (max(args.widths), 1)), ("depth", (1, max(args.depths)))):
        models, sizes = [make(*f) for f in ((1, 1), most)], [sizes_of(*f) for f in ((1, 1), most)]
        small, large = (sum(p.numel() for p in model.parameters()) for model in models)
        if most != (1, 1) and small == large:
            told = [named_sizes(one) for one in sizes]
            raise ValueError(
                f"the {axis} does not grow: {args.model} has {small} parameters with {told[0]} "
                f"and with {told[1]}; name the sizes that do, --{axis}-names NAME …"
            )
        yield _grown(axis, *({**s, **entries(m)} for s, m in zip(sizes, models, strict=True)))


def _grown(axis: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What of the sizes, given or in the model's configuration, grows along an axis."""
    told = [
        f"{name} {before[name]} → {size}"
        for name, size in now.items()
        if type(size) is int and type(before.get(name)) is int and size != before[name]
    ]
    return f"{axis} grows: {', '.join(told) or 'nothing'}"


def _by_factors(args: argparse.Namespace) -> tuple[Factory, Callable[[int, int], dict[str, int]]]:
    """A factory of the model by its factors on the base's width and depth, and its sizes."""
    from specmup.parametrization.followers import FOLLOWERS, NAMES

    build = factory(args.model)
    wide = _names(args, "width", args.width_names, (*NAMES["width"], *FOLLOWERS, "heads"))
    deep = _names(args, "depth", args.depth_names, (*NAMES["depth"], "layers"))
    fixed = dict(args.fixed)
    if args.model.startswith("hf:"):
        fixed = {"vocab_size": args.vocabulary} | fixed

    def sizes_of(width: int, depth: int) -> dict[str, int]:
        growth = dict.fromkeys(wide, width) | dict.fromkeys(deep, depth)
        return {**fixed, **{k: v * growth.get(k, 1) for k, v in args.base.items()}}

    return lambda width, depth: build(sizes_of(width, depth)), sizes_of


def _names(
    args: argparse.Namespace, axis: str, given: list[str] | None, known: tuple[str, ...]
) -> list[str]:
    names = given or [name for name in args.base if name in known]
    if not names or any(name not in args.base for name in names):
        raise ValueError(
            f"which of {', '.join(args.base)} grow with the {axis}? "
            f"Name them: --{axis}-names NAME …"
        )
    return names
