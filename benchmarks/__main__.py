"""Run every benchmark and print one table: ``python -m benchmarks [name …]``."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import time

import torch

import benchmarks
from benchmarks.harness import Row, table

MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if module.name not in ("__main__", "harness")
)


def main() -> None:
    """Run the benchmarks named on the command line, all by default, saying how far they are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of: {', '.join(MODULES)}")
    names = parser.parse_args().names or MODULES
    if unknown := sorted(set(names) - set(MODULES)):
        parser.error(f"no benchmark named {', '.join(unknown)}: there are {', '.join(MODULES)}")

    rows: list[Row] = []
    for name in names:
        parts = importlib.import_module(f"benchmarks.{name}").PARTS
        for number, (title, part) in enumerate(parts.items(), start=1):
            print(f"{name} {number} of {len(parts)}: {title}", end=" ", file=sys.stderr, flush=True)
            begun = time.monotonic()
            rows += part()
            print(f"({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)
    threads, cores = torch.get_num_threads(), os.cpu_count()
    print(f"\ntorch {torch.__version__}, {threads} threads on {cores} cores; ratios of medians\n")
    print(table(rows))


if __name__ == "__main__":
    main()
