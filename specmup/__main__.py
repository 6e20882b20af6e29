"""The command line: ``specmup rules`` prints the scaling rules of an optimizer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from specmup.theory.rules import rules
from specmup.theory.tables import FORMATS
from specmup.theory.update import LAWS


class _OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line and exit status 2, without the usage text."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns 0, or exits with status 2 and one line on bad input."""
    parser = _OneLineParser(prog="specmup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("rules", help="print the factors on base values, role by role")
    command.add_argument("--optimizer", required=True, help=f"one of {', '.join(LAWS)}")
    command.add_argument("--block-depth", type=int, required=True, help="maps in a branch, k ≥ 1")
    command.add_argument("--format", default="table", choices=FORMATS, help="default: table")
    asked = parser.parse_args(arguments)
    try:
        table = rules(asked.optimizer, asked.block_depth)
    except ValueError as problem:
        command.error(str(problem))
    print(FORMATS[asked.format](table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
