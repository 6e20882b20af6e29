"""The command line: scaling rules, plans, checks and audits of models, sweeps and their text."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from specmup import __version__
from specmup.cli import audit, check, plan, rules, sweep, text
from specmup.cli.command import OneLineParser, refused_by_the_system
from specmup.cli.stopping import stopped_in_one_line

COMMANDS = {
    "rules": rules,
    "plan": plan,
    "check": check,
    "audit": audit,
    "sweep": sweep,
    "text": text,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its status, or exits with one line.

    The status is 2 on bad input, and 130 or 143 if a signal stopped it.
    """
    parser = OneLineParser(prog="specmup", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {}
    for name, module in COMMANDS.items():
        parsers[name] = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add_arguments(parsers[name])
    args = parser.parse_args(arguments)
    command = COMMANDS[args.command]
    try:
        with stopped_in_one_line(getattr(command, "STOPPED", "stopped")):
            status = command.run(args) or 0
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValueError as problem:  # bad input
        parsers[args.command].error(str(problem))
    except OSError as problem:  # files that cannot be read or written
        parsers[args.command].error(refused_by_the_system(problem))
    return status


if __name__ == "__main__":
    sys.exit(main())
