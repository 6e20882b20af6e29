"""``specmup plan`` prints the numbers for every parameter of a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from specmup.cli.command import add_declarations, declared, factory, number_or_mapping, sizes
from specmup.foreign import printable

if TYPE_CHECKING:  # torch is slow to import: only where it is needed
    from specmup.parametrization.planned import Plan

HELP = "print every parameter's role, initial std, learning rate, decay and ε"
FORMATS = ("table", "json", "markdown")
BASE_VALUES = {
    "--learning-rate": "η of the base; without it, factors only",
    "--std": "initial std of the base's matrices; without it, the model's own where it is known",
    "--weight-decay": "decoupled decay λ of the base's matrices; default: 0",
    "--epsilon": "ε of the base; default: the library's",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument(
        "--model", required=True, help="hf:gpt2, hf:llama, …; or module:function for your own"
    )
    for name, what in (("--base", "tuned"), ("--target", "wanted")):
        command.add_argument(
            name, required=True, type=sizes, help=f"sizes of the {what} model: n_embd=256,n_layer=4"
        )
    command.add_argument("--optimizer", default="adamw", help="default: adamw")
    for name, what in BASE_VALUES.items():
        command.add_argument(
            name, type=number_or_mapping, help=f"{what}; a number, or by role: hidden=…,*=…"
        )
    command.add_argument("--gauge", help="forward or folded; default: what the model offers")
    add_declarations(command)
    text = "print a declaration of what is not known, and why it says so, in place of the plan"
    command.add_argument("--suggest", action="store_true", help=text)
    command.add_argument("--format", default="table", choices=FORMATS, help="default: table")


def run(args: argparse.Namespace) -> None:
    """Make the plan without memory for the models, and print it."""
    # torch is slow to import: only where it is needed
    from specmup.parametrization.plan import make_plan

    build = factory(args.model)
    make = partial(
        make_plan,
        lambda: build(args.target),
        base=lambda: build(args.base),
        optimizer=args.optimizer,
        learning_rate=args.learning_rate,
        std=args.std,
        weight_decay=args.weight_decay,
        epsilon=args.epsilon,
        gauge=args.gauge,
        verify=True,
        **declared(args),
    )
    if args.suggest:
        print(_suggested(make))
        return
    plan = make()
    if args.format == "json":
        print(plan.to_json())
    elif args.format == "markdown":
        print(plan.report().markdown())
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(plan.report().rich())
    else:
        print(plan)


def _suggested(make: Callable[[], Plan]) -> str:
    """What to declare: as options, as arguments of ``make_plan``, and the reasons."""
    from specmup.inspection.questions import Undeclared

    try:
        make()
    except Undeclared as problem:
        told = problem.proposal
        lines = [
            told.as_options(),
            told.as_python(),
            *(f"- {reason}" for reason in problem.reasons),
        ]
        return "\n".join(map(printable, lines))
    return "nothing needs to be declared"
