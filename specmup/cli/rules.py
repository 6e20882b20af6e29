"""``specmup rules`` prints the scaling rules of an optimizer."""

from __future__ import annotations

import argparse

from specmup.theory.rules import rules
from specmup.theory.tables import FORMATS
from specmup.theory.update import LAWS

HELP = "print the factors on base values, role by role"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options."""
    command.add_argument("--optimizer", required=True, help=f"one of {', '.join(LAWS)}")
    command.add_argument("--block-depth", type=int, required=True, help="maps in a branch, k ≥ 1")
    command.add_argument("--format", default="table", choices=FORMATS, help="default: table")


def run(args: argparse.Namespace) -> None:
    """Print the table."""
    print(FORMATS[args.format](rules(args.optimizer, args.block_depth)))
