"""``specmup audit`` says whose rules training code follows, and where they fail.

``module:function`` is called with (width, depth) at several sizes and gives a model and its
optimizer; an example of the model's input may be a third. Everything that a rule decides is read
off: start, learning rate, decay, ε, the constants of the forward pass. Nothing is trained. The
exit status is 1 if a number is not what the condition asks for, but for harmless ones.
"""

from __future__ import annotations

import argparse

from specmup.cli.command import add_declarations, declared, function
from specmup.foreign import refusing

HELP = "read off whose rules training code follows, and where they fail"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = command.add_argument
    add("build", help="module:function from (width, depth) to (model, optimizer)")
    for axis, tried in (("widths", [64, 128, 256]), ("depths", [2, 4, 8])):
        text = f"three {axis} or more, or one; default: {' '.join(map(str, tried))}"
        add(f"--{axis}", type=whole_numbers, default=tried, metavar="N,N,N", help=text)
    add("--optimizer", help="the update law, where the optimizer's class does not tell it")
    add_declarations(command)
    add("--draws", type=int, default=2, help="how often each model is built; default: 2")
    add(
        "--accept",
        nargs="+",
        default=(),
        choices=("weight_decay", "epsilon"),
        help="numbers that are told, but do not fail",
    )
    add("--json", action="store_true", help="print everything as JSON")


def whole_numbers(text: str) -> list[int]:
    """The sizes in ``64,128,256``.

    Raises:
        argparse.ArgumentTypeError: If it is not of that form.
    """
    pieces = text.split(",")
    if not all(piece.strip().isdigit() for piece in pieces):
        raise argparse.ArgumentTypeError(f"{text!r} are no sizes: write 64,128,256")
    return [int(piece) for piece in pieces]


def run(args: argparse.Namespace) -> int:
    """Audit and print; 1 if something is not as the condition asks, else 0."""
    # torch is slow to import: only where it is needed
    from specmup.auditing.audit import audit

    make = function(args.build)

    def build(width: int, depth: int) -> object:
        with refusing(f"{args.build} fails at width {width} and depth {depth}"):
            return make(width, depth)

    found = audit(
        build,
        widths=args.widths,
        depths=args.depths,
        optimizer=args.optimizer,
        draws=args.draws,
        **declared(args),
    )
    print(found.to_json() if args.json else found)
    return int(any(not f.harmless and f.number not in args.accept for f in found.faults))
